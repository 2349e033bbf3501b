import type { Interface } from 'ethers';
import { AppError } from '../shared/errors.ts';
import { ETH } from '../shared/ids.ts';
import type { Address, Bytes32 } from '../shared/ids.ts';
import type { IndexedOffer } from '../store/market-rows.ts';
import type { ChainReads, LeaseState } from './chain.ts';
import {
  erc20Interface,
  offersInterface,
  parametersInterface,
  rentalsInterface,
  vaultInterface,
} from './contract-interfaces.ts';
import type { OfferStatus } from './events.ts';
import { createJobReads } from './job-reads.ts';
import type { NetworkProfile } from './profile.ts';
import { explainRefusal } from './revert-reasons.ts';
import { toBigQuantity, toBytes } from './rpc.ts';
import type { Rpc } from './rpc.ts';

const LEASE_STATES: readonly LeaseState['state'][] = ['none', 'open', 'closing', 'closed'];
const OFFER_STATUSES: readonly (OfferStatus | null)[] = [null, 'active', 'paused', 'delisted', 'suspended'];

/**
 * Reads straight from the contracts.
 * @param offerFromIndex waits until index.db knows at least this version of an offer
 */
export function createReads(
  profile: NetworkProfile,
  rpc: Rpc,
  offerFromIndex: (offerId: Bytes32, version: number) => Promise<IndexedOffer>,
): ChainReads {
  const { vault, offers, rentals } = profile.contracts;
  let parameters: Address | null = null;

  /** The decoded answer of a view function. */
  const view = async (to: Address, of: Interface, method: string, args: readonly unknown[]): Promise<unknown[]> => {
    const data = of.encodeFunctionData(method, args);
    let answer: unknown;
    try {
      answer = await rpc.call('eth_call', [{ to, data }, 'latest']);
    } catch (thrown) {
      throw explainRefusal(thrown, profile, to);
    }
    try {
      return [...of.decodeFunctionResult(method, toBytes(answer, method))] as unknown[];
    } catch (thrown) {
      throw new AppError('wrong-network', `The contract at ${to} does not answer ${method} as it should.`, {
        field: 'contracts',
        next: 'Check the contract addresses of the network profile.',
        cause: thrown,
      });
    }
  };
  const one = async (to: Address, of: Interface, method: string, args: readonly unknown[]) =>
    (await view(to, of, method, args))[0];
  const amount = async (to: Address, of: Interface, method: string, args: readonly unknown[]) =>
    BigInt(String(await one(to, of, method, args)));

  return {
    ...createJobReads(profile.contracts, one, view),
    async walletBalance(account, token) {
      if (token !== ETH) return amount(token, erc20Interface, 'balanceOf', [account]);
      return toBigQuantity(await rpc.call('eth_getBalance', [account, 'latest']), 'eth_getBalance');
    },
    vaultBalance: (account, token) => amount(vault, vaultInterface, 'balanceOf', [account, token]),
    vaultLocked: (account, token, module = rentals) =>
      amount(vault, vaultInterface, 'lockedOf', [module, account, token]),
    isAuthorized: async (account, module) =>
      (await one(vault, vaultInterface, 'isAuthorized', [account, module])) === true,
    async lease(leaseId) {
      const lease = (await one(rentals, rentalsInterface, 'get', [leaseId])) as Record<
        keyof LeaseState | 'cap',
        unknown
      >;
      return {
        state: LEASE_STATES[Number(lease.state)] ?? 'none',
        openedAt: Number(lease.openedAt),
        closeAt: Number(lease.closeAt),
        capSeconds: Number(lease.cap),
        paidSeconds: Number(lease.paidSeconds),
        claimSeconds: Number(lease.claimSeconds),
      };
    },
    async offer(offerId) {
      const stored = (await one(offers, offersInterface, 'get', [offerId])) as Record<
        'version' | 'units' | 'taken' | 'status',
        unknown
      >;
      const status = OFFER_STATUSES[Number(stored.status)];
      if (!status) return null;
      const version = Number(stored.version);
      const known = await offerFromIndex(offerId, version);
      const { offerId: _id, version: _version, free: _free, status: _status, createdAt: _createdAt, ...offer } = known;
      const free = status === 'active' ? Math.max(0, Number(stored.units) - Number(stored.taken)) : 0;
      return { version, status, free, offer };
    },
    async feeBps() {
      parameters ??= String(await one(rentals, rentalsInterface, 'parameters', [])).toLowerCase() as Address;
      return Number(await one(parameters, parametersInterface, 'feeBps', []));
    },
  };
}
