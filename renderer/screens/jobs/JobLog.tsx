import { IconFileText } from '@tabler/icons-react';
import { useEffect, useRef, useState } from 'react';
import type { ApiClient, Job } from '../../../src/api/contract.ts';
import { Blank } from '../../parts/Blank.tsx';
import { FailureNote } from '../../parts/Note.tsx';
import { useClient } from '../../state/host.ts';
import { useLine } from '../../state/host-connection.ts';
import { fromBase64 } from '../../view/bytes.ts';
import { appendLog, visibleLog } from '../../view/log-text.ts';

/** What is kept on screen; the whole log is in the result folder. */
const MAX_CHARACTERS = 400_000;
const DRAW_MS = 100;
/** Closer to the end than this, the view stays at the end. */
const AT_END_PX = 60;

/** What the task prints, as it prints it. */
export function JobLog({ job }: { job: Job }) {
  const client = useClient();
  const ready = useLine((line) => line.state === 'open');
  const [text, setText] = useState('');
  const [error, setError] = useState<unknown>(null);
  const view = useRef<HTMLPreElement>(null);
  const atEnd = useRef(true);
  const { taskId, resultHere } = job;
  const begun = job.runs.some((run) => run.startedAt !== null || run.resultCid !== null) || resultHere;
  useEffect(() => {
    if (!begun || !ready) return undefined;
    const abort = new AbortController();
    setText('');
    setError(null);
    void follow(client, taskId, abort.signal, setText).catch((thrown: unknown) => {
      if (!abort.signal.aborted) setError(thrown);
    });
    return () => abort.abort();
    // The result folder holds the whole log, also where following it came too late or was cut off.
  }, [client, ready, taskId, begun, resultHere]);
  useEffect(() => {
    if (view.current && atEnd.current) view.current.scrollTop = view.current.scrollHeight;
  }, [text]);
  if (!begun) {
    return (
      <Blank icon={IconFileText} title="Nothing printed yet">
        The log appears here as soon as a provider has started the work.
      </Blank>
    );
  }
  return (
    <div className="job-log">
      <FailureNote error={error} />
      <pre
        ref={view}
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scrolling text has to be reachable by keyboard
        tabIndex={0}
        role="log"
        aria-label="Log"
        aria-live="off"
        onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
          atEnd.current = scrollHeight - scrollTop - clientHeight < AT_END_PX;
        }}
      >
        {text === '' ? 'It has printed nothing.' : visibleLog(text)}
      </pre>
    </div>
  );
}

/** Hands the log on a few times a second, and acknowledges only what was handed on: a flood waits at its source. */
async function follow(
  client: ApiClient,
  taskId: string,
  signal: AbortSignal,
  onLog: (log: string) => void,
): Promise<void> {
  const decoders = { 1: new TextDecoder(), 2: new TextDecoder() };
  let log = '';
  let sessionId = '';
  let taken = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const draw = () => {
    timer = undefined;
    if (signal.aborted) return;
    onLog(log);
    void client.rentals.ack({ sessionId, seq: taken }).catch(() => undefined);
  };
  try {
    for await (const frame of await client.jobs.logs({ taskId, follow: true }, { signal })) {
      if (frame.type === 'opened') ({ sessionId } = frame);
      if (frame.type !== 'data') continue;
      const piece = decoders[frame.stream].decode(fromBase64(frame.base64), { stream: true });
      log = appendLog(log, piece, MAX_CHARACTERS);
      taken = frame.seq;
      timer ??= setTimeout(draw, DRAW_MS);
    }
  } finally {
    clearTimeout(timer);
    if (!signal.aborted) onLog(log);
  }
}
