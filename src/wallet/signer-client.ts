import { Worker } from 'node:worker_threads';
import { AppError } from '../shared/errors.ts';
import { sibling } from '../shared/sibling.ts';
import type {
  SignerNotice,
  SignerOperation,
  SignerOperations,
  SignerReply,
  SignerRequest,
  SignerSetup,
} from './signer-protocol.ts';

/** The host's end of the signer's thread. Started with the first call, and again after it died. */
export interface SignerClient {
  call<Operation extends SignerOperation>(
    operation: Operation,
    input: SignerOperations[Operation]['input'],
  ): Promise<SignerOperations[Operation]['output']>;
  close(): Promise<void>;
}

export type SpawnSigner = (setup: SignerSetup) => Worker;

export const spawnSigner: SpawnSigner = (setup) =>
  new Worker(sibling(import.meta.url, 'signer-worker'), { workerData: setup, name: 'signer' });

/**
 * @param onLocked the unlocked time ran out, or the thread died and took its keys with it (`crashed`).
 */
export function createSignerClient(
  setup: SignerSetup,
  onLocked: (crashed: boolean) => void,
  spawn: SpawnSigner = spawnSigner,
): SignerClient {
  type Waiting = { resolve: (output: never) => void; reject: (error: AppError) => void };
  let worker: Worker | null = null;
  let closed = false;
  let lastId = 0;
  const waiting = new Map<number, Waiting>();

  const start = (): Worker => {
    const started = spawn(setup);
    worker = started;
    started.on('message', (message: SignerReply | SignerNotice) => {
      if ('notice' in message) {
        onLocked(false);
        return;
      }
      const caller = waiting.get(message.id);
      waiting.delete(message.id);
      if (message.ok) caller?.resolve(message.output as never);
      else caller?.reject(new AppError(message.error.code, message.error.message, message.error));
    });
    const died = (cause: unknown) => {
      if (worker !== started) return;
      worker = null;
      const failed = [...waiting.values()];
      waiting.clear();
      for (const caller of failed) {
        caller.reject(
          new AppError('internal', 'The signing part of Commonwatt stopped unexpectedly.', {
            cause,
            next: 'Unlock the wallet and try again.',
          }),
        );
      }
      if (!closed) onLocked(true);
    };
    started.on('error', died);
    started.on('exit', (code) => died(new Error(`signer thread ended with ${code}`)));
    return started;
  };

  return {
    call: (operation, input) =>
      new Promise((resolve, reject) => {
        if (closed) {
          reject(new AppError('cancelled', 'Commonwatt is stopping.'));
          return;
        }
        const thread = worker ?? start();
        lastId += 1;
        waiting.set(lastId, { resolve, reject });
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, not a window
        thread.postMessage({ id: lastId, operation, input } satisfies SignerRequest);
      }),
    async close() {
      closed = true;
      const running = worker;
      if (running) await running.terminate();
    },
  };
}
