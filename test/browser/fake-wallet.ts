import type { ApiOutputs, WalletStatus } from '../../src/api/contract.ts';
import type { ApiServices } from '../../src/api/services.ts';
import { AppError } from '../../src/shared/errors.ts';
import type { Address } from '../../src/shared/ids.ts';
import { CUSD, ETHER, fakeHash } from './fake-market.ts';

export const PASSWORD = 'correct horse';
/** The well-known words of Ethereum's own tests; nobody's money. */
export const WORDS = 'test test test test test test test test test test test junk';

interface FakeWalletOptions {
  own: Address;
  mode: 'open' | 'locked' | 'none' | 'not-backed-up';
  practice: boolean;
  available: string;
}

interface Hooks {
  call: (name: string) => void;
  setWallet: () => WalletStatus;
}

export function fakeWallet({ own, mode, practice, available }: FakeWalletOptions) {
  let status: WalletStatus = {
    exists: mode !== 'none',
    locked: mode === 'locked',
    address: mode === 'none' ? null : own,
    backedUp: mode === 'open' || mode === 'locked',
    practice: practice && mode === 'open',
  };
  let balances: ApiOutputs['wallet']['balances'] = [
    { token: CUSD, wallet: '415750000', available, locked: '680000' },
    { token: ETHER, wallet: '9998214300000000000', available: '250000000000000000', locked: '0' },
  ];
  let policy: ApiOutputs['wallet']['policy'] = [{ token: CUSD.address, perDeal: '20000000', perDay: '50000000' }];
  const at = Math.floor(Date.now() / 1000);
  const moved = (
    index: number,
    kind: ApiOutputs['wallet']['history'][number]['kind'],
    amount: string,
    rental: number | null,
    ago: number,
  ) => ({
    at: at - ago,
    kind,
    token: CUSD,
    amount,
    rentalId: rental === null ? null : fakeHash(rental),
    txHash: fakeHash(700 + index),
    block: 48_000 - index,
  });
  const history = [
    moved(1, 'lock', '-680000', 1, 2310),
    moved(2, 'earned', '85472', 2, 900),
    moved(3, 'fee', '-854', 2, 900),
    moved(4, 'refund', '170000', 3, 84_600),
    moved(5, 'spent', '-510000', 3, 84_600),
    moved(6, 'deposit', '85000000', null, 92_000),
    moved(7, 'faucet', '500000000', null, 95_000),
  ];
  const move = (token: string, amount: string, sign: 1n | -1n) => {
    balances = balances.map((row) =>
      row.token.address === token
        ? {
            ...row,
            wallet: String(BigInt(row.wallet) - sign * BigInt(amount)),
            available: String(BigInt(row.available) + sign * BigInt(amount)),
          }
        : row,
    );
    return { txHash: fakeHash(Number(BigInt(amount) % 9973n)) };
  };
  const check = (password: string) => {
    if (password !== PASSWORD) {
      throw new AppError('wrong-password', 'That is not the password.', { field: 'password', next: 'Try again.' });
    }
  };
  return {
    status: () => status,
    available: () => BigInt(balances[0]?.available ?? '0'),
    services: ({ call, setWallet }: Hooks): ApiServices['wallet'] => {
      const become = (next: Partial<WalletStatus>) => {
        status = { ...status, ...next };
        return setWallet();
      };
      return {
        status: () => status,
        create: () => {
          call('wallet.create');
          status = { exists: true, locked: false, address: own, backedUp: false, practice: false };
          return { address: own, mnemonic: WORDS };
        },
        import: () => {
          call('wallet.import');
          become({ exists: true, locked: false, address: own, backedUp: true });
          return { address: own };
        },
        unlock: ({ password }) => {
          call('wallet.unlock');
          check(password);
          return become({ locked: false });
        },
        lock: () => become({ locked: true }),
        backup: ({ password }) => {
          check(password);
          return { mnemonic: WORDS, keystore: '{}' };
        },
        confirmBackup: () => {
          call('wallet.confirmBackup');
          return become({ backedUp: true });
        },
        balances: () => {
          call('wallet.balances');
          return balances;
        },
        deposit: ({ token, amount }) => {
          call('wallet.deposit');
          return move(token, amount, 1n);
        },
        withdraw: ({ token, amount }) => {
          call('wallet.withdraw');
          return move(token, amount, -1n);
        },
        history: () => history,
        faucet: () => {
          call('wallet.faucet');
          balances = balances.map((row) => ({
            ...row,
            wallet: String(BigInt(row.wallet) + 10n ** BigInt(row.token.decimals)),
          }));
          return { ok: true };
        },
        policy: () => policy,
        setPolicy: (limits) => {
          call('wallet.setPolicy');
          return (policy = limits);
        },
      };
    },
  };
}
