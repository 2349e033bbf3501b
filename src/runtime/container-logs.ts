import { isEngineDown } from './docker-errors.ts';
import { AppError } from '../shared/errors.ts';
import type { LogChunk } from './engine.ts';
import type { EngineLink } from './engine-link.ts';
import { demultiplex } from './multiplex.ts';

/**
 * What the engine keeps of a container's two outputs, in order; with `follow` also what comes, until the container ends,
 * the signal aborts or the engine is lost. A stream of many lines may lose some where the engine rotates its files.
 */
export async function* containerLogs(
  link: EngineLink,
  containerId: string,
  options: { follow: boolean; tail: number | 'all'; signal?: AbortSignal | undefined },
): AsyncGenerator<LogChunk, void> {
  const { follow, signal } = options;
  const container = link.docker.getContainer(containerId);
  // The engine reads "all" as a word; dockerode's type knows numbers only.
  const common = { stdout: true, stderr: true, tail: options.tail as number };
  if (!follow) {
    const bytes = (await link.call((abortSignal) => container.logs({ ...common, follow: false, abortSignal }), {
      signal,
    })) as unknown;
    // dockerode turns bytes that happen to be valid JSON, a lone digit say, into the value; there is no header then.
    if (bytes instanceof Uint8Array)
      yield* demultiplex(
        (async function* one() {
          yield bytes;
        })(),
      );
    return;
  }
  const lost = link.lost;
  const stop = AbortSignal.any([lost, ...(signal ? [signal] : [])]);
  try {
    // The engine answers with the first output, however long that takes: only `stop` ends the wait.
    const stream = await link.call(() => container.logs({ ...common, follow: true, abortSignal: stop }), { signal });
    yield* demultiplex(stream as AsyncIterable<Uint8Array>);
  } catch (thrown) {
    if (!stop.aborted && !isEngineDown(thrown) && !(thrown instanceof AppError && thrown.code === 'engine-down'))
      throw thrown;
  }
}
