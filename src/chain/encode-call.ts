import type { Interface } from 'ethers';
import { AppError } from '../shared/errors.ts';
import type { Address, Hex } from '../shared/ids.ts';
import type { Call } from './chain.ts';

/** A call of one contract's method. @throws AppError bad-input naming what does not fit its Solidity type */
export const encodeCall = (
  to: Address,
  of: Interface,
  method: string,
  args: readonly unknown[],
  label: string,
  extra: { value?: bigint; gasLimit?: bigint } = {},
): Call => ({
  to,
  data: encode(of, method, args),
  value: extra.value ?? 0n,
  label,
  ...(extra.gasLimit === undefined ? {} : { gasLimit: extra.gasLimit }),
});

function encode(of: Interface, method: string, args: readonly unknown[]): Hex {
  try {
    return of.encodeFunctionData(method, args) as Hex;
  } catch (thrown) {
    const argument = (thrown as { argument?: unknown }).argument;
    const field = typeof argument === 'string' ? argument : method;
    throw new AppError('bad-input', `${field} does not fit what the contract takes.`, { field, cause: thrown });
  }
}
