import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AppError } from '../shared/errors.ts';
import { ETH } from '../shared/ids.ts';
import { offersInterface, rentalsInterface, vaultInterface } from './contract-interfaces.ts';
import { ETH_TOKEN } from './profile.ts';
import { EXPLAINED_ERRORS, explainRefusal, explainRevert } from './revert-reasons.ts';
import { RpcError } from './rpc.ts';

const tokens = [ETH_TOKEN];
/** Caused by our own bugs or by nobody: named as they are. */
const UNEXPLAINED = new Set([
  'NotModule',
  'AddressEmptyCode',
  'FailedCall',
  'InvalidShortString',
  'StringTooLong',
  'ReentrancyGuardReentrantCall',
]);

describe('reasons of reverts', () => {
  test('every custom error of the three contracts is explained', () => {
    const missing = [vaultInterface, offersInterface, rentalsInterface]
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
    expect(explainRevert(data, tokens)).toMatchObject({
      code: 'insufficient-funds',
      message: 'The deposit account holds 0.1 ETH; 1 ETH are needed.',
    });
    const stale = offersInterface.encodeErrorResult('StaleOffer', [`0x${'01'.repeat(32)}`, 1, 2]);
    expect(explainRefusal(new RpcError(3, 'execution reverted', { data: stale }), tokens)).toMatchObject({
      code: 'offer-changed',
    });
    const closed = rentalsInterface.encodeErrorResult('WrongState', [`0x${'01'.repeat(32)}`, 3]);
    expect(explainRevert(closed, tokens).message).toBe('The rental is closed.');
  });

  test('the wallet without fees, a node with its own words, and other failures', () => {
    const poor = new RpcError(-32_003, 'Insufficient funds for gas * price + value', undefined);
    expect(explainRefusal(poor, tokens)).toMatchObject({ code: 'insufficient-funds' });
    expect(explainRefusal(new RpcError(-32_000, 'busy', undefined), tokens)).toMatchObject({ code: 'network-down' });
    const other = new Error('x');
    expect(explainRefusal(other, tokens)).toBe(other);
  });

  test('whatever bytes come back, there is a sentence', () => {
    fc.assert(
      fc.property(fc.anything(), fc.string(), (data, message) => {
        expect(explainRefusal(new RpcError(3, message, data), tokens)).toBeInstanceOf(AppError);
      }),
    );
    const selector = vaultInterface.encodeErrorResult('ZeroAmount', []);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(explainRevert(selector + Buffer.from(bytes).toString('hex'), tokens)).toBeInstanceOf(AppError);
      }),
    );
  });
});
