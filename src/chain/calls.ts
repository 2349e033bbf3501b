import { AppError } from '../shared/errors.ts';
import { ETH } from '../shared/ids.ts';
import { leaseIdOf, offerIdOf } from '../shared/typed-data.ts';
import type { ChainCalls } from './chain.ts';
import { erc20Interface, offersInterface, rentalsInterface, vaultInterface } from './contract-interfaces.ts';
import { encodeCall } from './encode-call.ts';
import type { OfferFields, OfferStatus } from './events.ts';
import { makeJobCalls } from './job-calls.ts';
import type { NetworkContracts } from './profile.ts';

/** Features travel as one text, separated by commas. @throws AppError bad-input for a feature with a comma in it. */
function featuresText(features: readonly string[]): string {
  for (const feature of features) {
    if (feature.trim() === '' || feature.includes(',')) {
      throw new AppError('bad-input', 'A feature is a few words without a comma.', { field: 'features' });
    }
  }
  return features.join(',');
}

const offerParams = (offer: Omit<OfferFields, 'provider'>) => ({ ...offer, features: featuresText(offer.features) });

const STATUS_METHOD: Record<Exclude<OfferStatus, 'suspended'>, string> = {
  active: 'resume',
  paused: 'pause',
  delisted: 'delist',
};

/**
 * Gas of what is sent in long runs, so that no estimate is needed while earlier transactions are not mined yet. About
 * twice what was measured (see contracts/snapshots); unused gas is not charged.
 */
const GAS = { open: 400_000n, close: 300_000n } as const;

export function makeCalls(contracts: NetworkContracts): ChainCalls {
  const vault = (method: string, args: readonly unknown[], label: string, value = 0n) =>
    encodeCall(contracts.vault, vaultInterface, method, args, label, { value });
  const offers = (method: string, args: readonly unknown[], label: string) =>
    encodeCall(contracts.offers, offersInterface, method, args, label);
  const rentals = (
    method: string,
    args: readonly unknown[],
    label: string,
    extra: { value?: bigint; gasLimit?: bigint } = {},
  ) => encodeCall(contracts.rentals, rentalsInterface, method, args, label, extra);

  return {
    deposit: (token, amount, account) =>
      token === ETH
        ? vault('depositETH', [account], 'deposit', amount)
        : vault('deposit', [token, account, amount], 'deposit'),
    withdraw: (token, to, amount) => vault('withdraw', [token, to, amount], 'withdraw'),
    authorize: (module, allowed) => vault('authorize', [module, allowed], 'authorize'),
    approve: (token, amount) => encodeCall(token, erc20Interface, 'approve', [contracts.vault, amount], 'approve'),
    registerOffer: (offer, salt) => offers('register', [offerParams(offer), salt], 'register offer'),
    changeOffer: (offerId, offer) => offers('update', [offerId, offerParams(offer)], 'change offer'),
    setOfferStatus: (offerId, status) => offers(STATUS_METHOD[status], [offerId], `${STATUS_METHOD[status]} offer`),
    openLease: (terms, capSeconds, value = 0n) =>
      rentals('open', [terms, capSeconds], 'rent', { value, gasLimit: GAS.open }),
    extendLease: (terms, seconds, value = 0n) => rentals('extend', [terms, seconds], 'extend', { value }),
    drawLease: (terms, secs, signature) => rentals('draw', [terms, secs, signature], 'draw'),
    settleLease: (terms, secs, signature) => rentals('settle', [terms, secs, signature], 'settle'),
    closeLease: (terms, { secs, deadline, renterSignature, providerSignature }) =>
      rentals('close', [terms, secs, deadline, renterSignature, providerSignature], 'close', { gasLimit: GAS.close }),
    releaseLease: (terms) => rentals('release', [terms], 'release'),
    terminateLease: (terms, claimSeconds) => rentals('terminate', [terms, claimSeconds], 'terminate'),
    raiseLease: (terms, secs, signature) => rentals('raise', [terms, secs, signature], 'raise'),
    finalizeLease: (terms) => rentals('finalize', [terms], 'finalize'),
    expireLease: (terms) => rentals('expire', [terms], 'expire'),
    batch(calls) {
      const [first] = calls;
      if (!first || calls.some((one) => one.to !== first.to || one.value !== 0n)) {
        throw new AppError('bad-input', 'A batch needs calls to one contract, none of them with a value.');
      }
      // Every contract that is called has the same Multicall.
      return encodeCall(first.to, vaultInterface, 'multicall', [calls.map((one) => one.data)], first.label);
    },
    transfer: (token, to, amount) =>
      token === ETH
        ? { to, data: '0x', value: amount, label: 'transfer' }
        : encodeCall(token, erc20Interface, 'transfer', [to, amount], 'transfer'),
    ...makeJobCalls(contracts),
    leaseId: leaseIdOf,
    offerId: offerIdOf,
  };
}
