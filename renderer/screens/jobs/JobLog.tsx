import { useEffect, useRef, useState } from 'react';
import type { Job } from '../../../src/api/contract.ts';
import { Blank } from '../../parts/Blank.tsx';
import { FailureNote } from '../../parts/Note.tsx';
import { useClient } from '../../state/host.ts';
import { fromBase64 } from '../../view/bytes.ts';
import { withoutBidi } from '../../view/plain-text.ts';
import { IconFileText } from '@tabler/icons-react';

/** What is kept on screen; the whole log is in the result folder. */
const MAX_CHARACTERS = 400_000;
const ACK_EVERY = 32;
const ESCAPES = /\u001B\[[0-9;?]*[ -/]*[@-~]|\u001B[@-Z\\-_]|[\u0000-\u0008\u000B-\u001F\u007F]/g;

/** What the task prints, as it prints it. */
export function JobLog({ job }: { job: Job }) {
  const client = useClient();
  const [text, setText] = useState('');
  const [error, setError] = useState<unknown>(null);
  const view = useRef<HTMLPreElement>(null);
  const { taskId } = job;
  const begun = job.runs.some((run) => run.startedAt !== null || run.resultCid !== null) || job.resultHere;
  useEffect(() => {
    if (!begun) return undefined;
    const abort = new AbortController();
    setText('');
    setError(null);
    void follow(client, taskId, abort.signal, (piece) => setText((old) => (old + piece).slice(-MAX_CHARACTERS))).catch(
      (thrown: unknown) => {
        if (!abort.signal.aborted) setError(thrown);
      },
    );
    return () => abort.abort();
  }, [client, taskId, begun]);
  useEffect(() => {
    const at = view.current;
    // Stays at the end where the reader is there, and where they are otherwise.
    if (at && at.scrollHeight - at.scrollTop - at.clientHeight < 200) at.scrollTop = at.scrollHeight;
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
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scrolling text has to be reachable by keyboard */}
      <pre ref={view} tabIndex={0} role="log" aria-label="Log" aria-live="off">
        {text === '' ? 'It has printed nothing.' : text}
      </pre>
    </div>
  );
}

async function follow(
  client: ReturnType<typeof useClient>,
  taskId: string,
  signal: AbortSignal,
  onText: (piece: string) => void,
): Promise<void> {
  const decoders = { 1: new TextDecoder(), 2: new TextDecoder() };
  let sessionId = '';
  for await (const frame of await client.jobs.logs({ taskId, follow: true }, { signal })) {
    if (frame.type === 'opened') ({ sessionId } = frame);
    if (frame.type !== 'data') continue;
    const piece = decoders[frame.stream].decode(fromBase64(frame.base64), { stream: true });
    onText(withoutBidi(piece.replaceAll('\r\n', '\n')).replaceAll(ESCAPES, ''));
    if (frame.seq % ACK_EVERY === 0) await client.rentals.ack({ sessionId, seq: frame.seq });
  }
}
