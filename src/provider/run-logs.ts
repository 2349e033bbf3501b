import type { z } from 'zod';
import type { PeerStream } from '../peer/peer-link.ts';
import type { JobProcess } from '../runtime/job-runtime.ts';
import { AppError, toAppError } from '../shared/errors.ts';
import type { JOB_STREAMS } from '../shared/job-protocol.ts';

/** The first byte says which of the two outputs it is. */
function tagged(stream: 1 | 2, bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length + 1);
  out[0] = stream;
  out.set(bytes, 1);
  return out;
}

/**
 * What the work has written so far, and with `follow` what it writes from now on. Reading slowly only delays the reader.
 * @throws AppError busy before it runs; not-found once it is packed, because then the result holds its logs; of a copy nothing does
 */
export function serveRunLogs(
  process: JobProcess | null,
  { isPacked, isCopy }: { isPacked: boolean; isCopy: boolean },
  { fromByte, follow }: z.infer<(typeof JOB_STREAMS)['job.logs']>,
  stream: PeerStream,
): void {
  if (!process) {
    if (isPacked && isCopy) {
      throw new AppError('not-found', 'The job has ended. Copies keep no logs.', {
        next: 'Read them while it runs, or write what matters into the outputs.',
      });
    }
    throw isPacked
      ? new AppError('not-found', 'The job has ended; its logs are in its result.', {
          next: 'Read logs/ in the result.',
        })
      : new AppError('busy', 'The job does not run yet.', { next: 'Wait until it runs.' });
  }
  const stop = new AbortController();
  void stream.closed.then(() => stop.abort());
  void (async () => {
    try {
      for await (const chunk of process.logs({ fromByte, follow, signal: stop.signal })) {
        await stream.write(tagged(chunk.stream, chunk.bytes));
      }
      await stream.end();
    } catch (thrown) {
      stream.abort(toAppError(thrown).message);
    }
  })();
}
