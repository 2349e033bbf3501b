import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AppError } from '../shared/errors.ts';
import { ETH } from '../shared/ids.ts';
import type { Address } from '../shared/ids.ts';
import {
  jobsInterface,
  juriesInterface,
  offersInterface,
  recordInterface,
  rentalsInterface,
  stakesInterface,
  vaultInterface,
} from './contract-interfaces.ts';
import { ETH_TOKEN } from './profile.ts';
import { EXPLAINED_ERRORS, explainRefusal, explainRevert } from './revert-reasons.ts';
import { RpcError } from './rpc.ts';

const address = (byte: string): Address => `0x${byte.repeat(20)}`;
const network = {
  tokens: [ETH_TOKEN],
  contracts: {
    vault: address('01'),
    offers: address('02'),
    rentals: address('03'),
    jobs: address('04'),
    stakes: address('05'),
    record: address('06'),
    juries: address('07'),
    deployedAt: 0,
  },
};
/** Caused by our own bugs or by nobody: named as they are. */
const UNEXPLAINED = new Set([
  'NotModule',
  'AddressEmptyCode',
  'FailedCall',
  'InvalidShortString',
  'StringTooLong',
  'ReentrancyGuardReentrantCall',
  'SupplyTooLarge',
  'CheckpointUnorderedInsertion',
  'ECDSAInvalidSignature',
  'ECDSAInvalidSignatureLength',
  'ECDSAInvalidSignatureS',
  'ERC5805FutureLookup',
  'InvalidAccountNonce',
  'SafeCastOverflowedUintDowncast',
  'VotesExpiredSignature',
]);

describe('reasons of reverts', () => {
  test('every custom error of the contracts that are called is explained', () => {
    const missing = [
      vaultInterface,
      offersInterface,
      rentalsInterface,
      jobsInterface,
      stakesInterface,
      recordInterface,
      juriesInterface,
    ]
      .flatMap((one) => one.fragments.filter((fragment) => fragment.type === 'error'))
      .map(
        (fragment) =>
          fragment
            .format('sighash')
            .replace(/^error /, '')
            .split('(')[0] ?? '',
      )
      .filter(
        (name) => !name.startsWith('AccessManaged') && !UNEXPLAINED.has(name) && !EXPLAINED_ERRORS.includes(name),
      );
    expect(missing).toEqual([]);
  });

  test('amounts and states are told in words', () => {
    const data = vaultInterface.encodeErrorResult('InsufficientBalance', [ETH, ETH, 10n ** 17n, 10n ** 18n]);
    expect(explainRevert(data, network)).toMatchObject({
      code: 'insufficient-funds',
      message: 'The deposit account holds 0.1 ETH; 1 ETH are needed.',
    });
    const stale = offersInterface.encodeErrorResult('StaleOffer', [`0x${'01'.repeat(32)}`, 1, 2]);
    expect(explainRefusal(new RpcError(3, 'execution reverted', { data: stale }), network)).toMatchObject({
      code: 'offer-changed',
    });
    const closed = rentalsInterface.encodeErrorResult('WrongState', [`0x${'01'.repeat(32)}`, 3]);
    expect(explainRevert(closed, network).message).toBe('The rental is closed.');
  });

  test('late, duplicate, foreign and malformed submissions are told apart, with the field and the way out', () => {
    const id = `0x${'01'.repeat(32)}`;
    const said = (name: string, args: unknown[]) =>
      explainRevert(jobsInterface.encodeErrorResult(name, args), network, { to: network.contracts.jobs });
    expect(said('TooLate', [1_800_000_000, 1_800_000_000])).toMatchObject({
      code: 'conflict',
      field: 'deadline',
      message: 'The deadline was 2027-01-15 08:00:00 UTC; nothing can be submitted or taken any more.',
    });
    expect(said('WrongState', [id, 3])).toMatchObject({
      code: 'conflict',
      message: 'The job has been submitted already.',
    });
    expect(said('NotProvider', [address('08'), address('09')])).toMatchObject({
      code: 'not-allowed',
      message: 'Only the provider who took the job, or the key that acts for it, can do that.',
    });
    expect(said('WrongOffer', [id])).toMatchObject({ code: 'bad-input', field: 'offerId' });
    expect(said('EmptyResult', [])).toMatchObject({ code: 'bad-input', field: 'resultId' });
    jobsInterface.forEachError(({ name, inputs }) => {
      if (UNEXPLAINED.has(name)) return;
      const values = inputs.map(({ type }) => (type === 'address' ? address('08') : type === 'bytes32' ? id : 1));
      expect(said(name, values).message).not.toMatch(/refused|rental|undefined|NaN/);
    });
  });

  test('the same bytes are told as a rental or as a job, by whom they were sent to', () => {
    const data = jobsInterface.encodeErrorResult('WrongState', [`0x${'01'.repeat(32)}`, 1]);
    expect(explainRevert(data, network, { to: network.contracts.rentals }).message).toBe('The rental is open.');
    expect(explainRevert(data, network, { to: network.contracts.jobs }).message).toMatch(/^The job is open/);
    const stake = stakesInterface.encodeErrorResult('InsufficientFreeStake', [0, ETH, 10n ** 18n, 10n ** 20n]);
    expect(explainRevert(stake, network).message).toBe(
      '1 WATT of the stake are not at risk in open deals; 100 WATT are needed.',
    );
  });

  test('the wallet without fees, a node with its own words, and other failures', () => {
    const poor = new RpcError(-32_003, 'Insufficient funds for gas * price + value', undefined);
    expect(explainRefusal(poor, network)).toMatchObject({ code: 'insufficient-funds' });
    expect(explainRefusal(new RpcError(-32_000, 'busy', undefined), network)).toMatchObject({ code: 'network-down' });
    const other = new Error('x');
    expect(explainRefusal(other, network)).toBe(other);
  });

  test('whatever bytes come back, there is a sentence', () => {
    fc.assert(
      fc.property(fc.anything(), fc.string(), (data, message) => {
        expect(explainRefusal(new RpcError(3, message, data), network)).toBeInstanceOf(AppError);
      }),
    );
    const selector = vaultInterface.encodeErrorResult('ZeroAmount', []);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(explainRevert(selector + Buffer.from(bytes).toString('hex'), network)).toBeInstanceOf(AppError);
      }),
    );
  });
});
