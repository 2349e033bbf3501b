import type { ApiOutputs } from '../../api/contract.ts';
import type { ApiServices } from '../../api/services.ts';
import { tokenOf } from '../../chain/profile.ts';
import { AppError } from '../../shared/errors.ts';
import { ETH, type Address } from '../../shared/ids.ts';
import { formatAmount } from '../../shared/money.ts';
import type { Rooms } from '../rooms.ts';
import { walletView } from './system.ts';

/** Left in the wallet's own account for network fees when ETH is deposited, in wei. */
const FEE_RESERVE = 10n ** 15n;

export function walletServices(rooms: Rooms): ApiServices['wallet'] {
  const { wallet, chain, ledger } = rooms;
  const account = (): Address => wallet.signer().address;
  const status = () => walletView(rooms);

  return {
    status: async () => status(),
    create: async ({ password }) => wallet.create({ password }),
    import: async ({ password, ...source }) => wallet.import(source, password),
    unlock: async ({ password, seconds }) => {
      await wallet.unlock(password, seconds);
      return status();
    },
    lock: async () => {
      await wallet.lock();
      return status();
    },
    backup: ({ password }) => wallet.backup(password),
    confirmBackup: async () => {
      await wallet.confirmBackup();
      return status();
    },
    balances: async () => {
      const { address } = wallet.status.value;
      return Promise.all(
        chain.profile.tokens.map(async (token) => {
          const [own, available, locked] = address
            ? await Promise.all([
                chain.reads.walletBalance(address, token.address),
                chain.reads.vaultBalance(address, token.address),
                chain.reads.vaultLocked(address, token.address),
              ])
            : [0n, 0n, 0n];
          return { token, wallet: `${own}`, available: `${available}`, locked: `${locked}` };
        }),
      );
    },
    deposit: ({ commandId, token, amount }) =>
      ledger.commands.once(commandId, 'wallet.deposit', async () => {
        const value = positive(amount);
        const { symbol, decimals } = tokenOf(chain.profile, token);
        const owner = account();
        const balance = await chain.reads.walletBalance(owner, token);
        const spendable = token === ETH && balance > FEE_RESERVE ? balance - FEE_RESERVE : token === ETH ? 0n : balance;
        if (value > spendable) {
          throw new AppError(
            'insufficient-funds',
            `The wallet can deposit at most ${formatAmount(spendable, decimals)} ${symbol}.`,
            {
              field: 'amount',
              next: token === ETH ? 'A little ETH must stay for network fees.' : `Get more ${symbol} or deposit less.`,
            },
          );
        }
        // Both are sent at once: the second waits behind the first by its nonce.
        const approved =
          token === ETH ? null : chain.send(chain.calls.approve(token, value), { commandId: `${commandId}:approve` });
        await approved;
        const receipt = await chain.send(chain.calls.deposit(token, value, owner), {
          commandId: `${commandId}:deposit`,
        });
        return { txHash: receipt.txHash };
      }),
    withdraw: ({ commandId, token, amount, to }) =>
      ledger.commands.once(commandId, 'wallet.withdraw', async () => {
        const value = positive(amount);
        const { symbol, decimals } = tokenOf(chain.profile, token);
        const owner = account();
        const available = await chain.reads.vaultBalance(owner, token);
        if (value > available) {
          throw new AppError(
            'insufficient-funds',
            `${formatAmount(available, decimals)} ${symbol} can be withdrawn now.`,
            {
              field: 'amount',
              next: 'Withdraw less; what is locked comes free when rentals end.',
            },
          );
        }
        const receipt = await chain.send(chain.calls.withdraw(token, to ?? owner, value), {
          commandId: `${commandId}:withdraw`,
        });
        return { txHash: receipt.txHash };
      }),
    history: async ({ limit }) => {
      const { address } = wallet.status.value;
      if (!address) return [];
      return ledger.movements.list({ chainId: chain.profile.chainId, account: address, limit }).map((movement) => ({
        at: movement.at,
        kind: movement.kind,
        token: tokenOf(chain.profile, movement.token),
        amount: `${movement.amount}`,
        rentalId: movement.leaseId,
        txHash: movement.txHash,
        block: movement.block,
      }));
    },
    faucet: async () => {
      if (!rooms.practice) {
        throw new AppError('unsupported', 'Only the practice network gives money away.', {
          next: 'Send money to the wallet’s address.',
        });
      }
      await rooms.practice.faucet(account());
      return { ok: true };
    },
    policy: async () => policyView(rooms),
    setPolicy: async (limits) => {
      await wallet.policy.setLimits(
        limits.map(({ token, perDeal, perDay }) => ({
          token: tokenOf(chain.profile, token).address,
          perDeal: perDeal === null ? null : BigInt(perDeal),
          perDay: perDay === null ? null : BigInt(perDay),
        })),
      );
      return policyView(rooms);
    },
  };
}

const policyView = ({ wallet }: Rooms): ApiOutputs['wallet']['policy'] =>
  wallet.policy.limits.map(({ token, perDeal, perDay }) => ({
    token,
    perDeal: perDeal === null ? null : `${perDeal}`,
    perDay: perDay === null ? null : `${perDay}`,
  }));

function positive(amount: string): bigint {
  const value = BigInt(amount);
  if (value > 0n) return value;
  throw new AppError('bad-input', 'The amount must be more than zero.', { field: 'amount' });
}
