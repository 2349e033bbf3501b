import { toAppError } from '../shared/errors.ts';
import type { ErrorCode } from '../shared/errors.ts';
import type { Log } from '../shared/log.ts';
import { backoffMs, delay } from '../shared/retry.ts';
import type { Call, Chain, Receipt } from './chain.ts';

/** Failures that pass: the owner unlocks the wallet, the node comes back, somebody tops up the fees. */
export const PASSING: ReadonlySet<ErrorCode> = new Set([
  'locked',
  'network-down',
  'insufficient-funds',
  'timeout',
  'busy',
]);

/**
 * Sends until it is in a block, through failures that pass, telling `onWaiting` why it waits.
 * @returns the receipt, or null when the chain refused it for good: the lease has moved on, look at its state.
 * @throws only when the signal aborts.
 */
export async function insist(
  chain: Pick<Chain, 'send'>,
  call: Call,
  {
    commandId,
    signal,
    log,
    onWaiting,
  }: { commandId: string; signal: AbortSignal; log: Log; onWaiting?: (reason: string) => void },
): Promise<Receipt | null> {
  for (let attempt = 0; ; attempt += 1) {
    signal.throwIfAborted();
    try {
      return await chain.send(call, { commandId, signal });
    } catch (thrown) {
      signal.throwIfAborted();
      const error = toAppError(thrown);
      if (!PASSING.has(error.code)) {
        log.warn({ commandId, label: call.label, code: error.code, message: error.message }, 'transaction refused');
        return null;
      }
      onWaiting?.(error.message);
      await delay(500 + backoffMs(attempt, Math.random, 500), signal);
    }
  }
}
