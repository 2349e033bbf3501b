/**
 * The signer's thread: the only place where private keys are in the clear. It takes structured data - a transaction's
 * fields, an EIP-712 payload - builds the digest itself and gives back a signature. Nothing here hands out a key; the
 * backup words leave it only for `create` and `backup`, and `backup` asks for the password again.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { createSigner } from './signer.ts';
import { toAppError } from '../shared/errors.ts';
import type { SignerNotice, SignerReply, SignerRequest, SignerSetup } from './signer-protocol.ts';

const port = parentPort;
if (!port) throw new Error('signer-worker runs as a worker thread');

const signer = createSigner(workerData as SignerSetup, () => {
  port.postMessage({ notice: 'locked' } satisfies SignerNotice);
});

port.on('message', (request: SignerRequest) => {
  void signer.handle(request.operation, request.input).then(
    (output) => port.postMessage({ id: request.id, ok: true, output } satisfies SignerReply),
    (thrown: unknown) => {
      const error = toAppError(thrown).toJSON();
      port.postMessage({ id: request.id, ok: false, error } satisfies SignerReply);
    },
  );
});
