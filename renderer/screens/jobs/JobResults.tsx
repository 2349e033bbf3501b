import { Button, TextInput } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { IconDownload, IconFolder } from '@tabler/icons-react';
import { useEffect, useRef, useState } from 'react';
import type { Job } from '../../../src/api/contract.ts';
import { formatBytes } from '../../../src/shared/units.ts';
import { Blank, LoadingRows } from '../../parts/Blank.tsx';
import { CopyButton } from '../../parts/CopyButton.tsx';
import { FailureNote } from '../../parts/Note.tsx';
import { ProgressLine } from '../../parts/ProgressLine.tsx';
import { useApi, useClient } from '../../state/host.ts';
import { fromBase64 } from '../../view/bytes.ts';
import { plainText } from '../../../src/shared/plain-text.ts';
import { FilePreview } from './FilePreview.tsx';
import { ResultSpace } from './ResultSpace.tsx';

/** More files than this are not listed one by one. */
const MOST_LISTED = 500;

/** The result folder: its files, a look into each, and ways to take it along. */
export function JobResults({ job }: { job: Job }) {
  const { taskId, resultCid } = job;
  const api = useApi();
  const client = useClient();
  const results = useQuery(
    api.jobs.results.queryOptions({ input: { taskId }, enabled: job.resultHere, staleTime: Infinity }),
  );
  const [chosen, setChosen] = useState<string | null>(null);
  const [saved, setSaved] = useState<{ done: number; total: number } | null>(null);
  const stop = useRef(new AbortController());
  useEffect(() => () => stop.current.abort(), []);
  const download = useMutation({
    mutationFn: async ({ path, bytes }: { path: string; bytes: number }) => {
      stop.current = new AbortController();
      const { signal } = stop.current;
      const pieces: Uint8Array<ArrayBuffer>[] = [];
      for (let offset = 0; offset < bytes;) {
        const piece = await client.jobs.resultFile({ taskId, path, offset });
        if (signal.aborted) return;
        const part = Uint8Array.from(fromBase64(piece.base64));
        if (part.length === 0) break;
        pieces.push(part);
        offset += part.length;
        setSaved({ done: offset, total: bytes });
      }
      saveAs(
        new Blob(pieces, { type: 'application/octet-stream' }),
        plainText(path.split('/').at(-1) ?? 'result', 120),
      );
    },
    onSettled: () => setSaved(null),
  });
  if (!job.resultHere || resultCid === null) {
    return (
      <Blank icon={IconFolder} title="No result yet">
        The result folder comes here when a provider has finished, block by block, each compared with its address.
      </Blank>
    );
  }
  if (!results.data) {
    return results.error ? <FailureNote error={results.error} /> : <LoadingRows lines={5} label="Loading the result" />;
  }
  const { files } = results.data;
  const file =
    files.find(({ path }) => path === chosen) ?? files.find(({ path }) => path.startsWith('out/')) ?? files[0];
  return (
    <div className="results">
      <ul className="result-files" aria-label="Files">
        {files.slice(0, MOST_LISTED).map(({ path, bytes }) => (
          <li key={path}>
            <button type="button" aria-pressed={path === file?.path} onClick={() => setChosen(path)}>
              <span>{plainText(path, 80)}</span>
              <span className="figure dim result-size">{formatBytes(bytes)}</span>
            </button>
          </li>
        ))}
        {files.length > MOST_LISTED ? (
          <li className="hint">
            and {(files.length - MOST_LISTED).toLocaleString('en')} more; take the whole folder along to see them
          </li>
        ) : null}
      </ul>
      <div className="result-view">
        {file ? (
          <>
            <div className="button-row">
              <Button
                variant="default"
                size="xs"
                leftSection={<IconDownload size={14} aria-hidden />}
                loading={download.isPending}
                onClick={() => download.mutate(file)}
              >
                Save this file
              </Button>
              {saved ? (
                <Button variant="default" size="xs" onClick={() => stop.current.abort()}>
                  Cancel
                </Button>
              ) : null}
            </div>
            {saved ? <ProgressLine progress={{ label: 'Saving', ...saved, unit: 'bytes' }} /> : null}
            <FilePreview key={file.path} taskId={taskId} file={file} />
          </>
        ) : (
          <Blank icon={IconFolder} title="The result is empty" />
        )}
        <FailureNote error={download.error} />
        <TakeAlong taskId={taskId} cid={resultCid} />
        <ResultSpace job={job} />
      </div>
    </div>
  );
}

/** To a folder of this computer, or to one's own IPFS node. */
function TakeAlong({ taskId, cid }: { taskId: string; cid: string }) {
  const api = useApi();
  const [folder, setFolder] = useState('');
  const [node, setNode] = useState('http://127.0.0.1:5001');
  const save = useMutation(api.jobs.saveResults.mutationOptions({}));
  const push = useMutation(api.jobs.pushResults.mutationOptions({}));
  return (
    <details className="more">
      <summary>Take the whole folder along</summary>
      <div>
        <span className="hash">
          <code title={cid}>{`${cid.slice(0, 16)}…${cid.slice(-6)}`}</code>
          <CopyButton text={cid} label="Copy content id" />
        </span>
        <form
          className="save-row"
          onSubmit={(event) => {
            event.preventDefault();
            save.mutate({ taskId, folder });
          }}
        >
          <TextInput
            label="Folder on this computer"
            placeholder="/home/me/results"
            value={folder}
            onChange={(event) => setFolder(event.currentTarget.value)}
          />
          <Button type="submit" variant="default" loading={save.isPending} disabled={folder === ''}>
            Copy there
          </Button>
        </form>
        {save.data ? (
          <p className="hint" role="status">
            {save.data.files} files, {formatBytes(save.data.bytes)}, in {plainText(save.data.folder, 200)}.
          </p>
        ) : null}
        <form
          className="save-row"
          onSubmit={(event) => {
            event.preventDefault();
            push.mutate({ taskId, url: node });
          }}
        >
          <TextInput
            label="Your IPFS node (Kubo RPC address)"
            value={node}
            onChange={(event) => setNode(event.currentTarget.value)}
          />
          <Button type="submit" variant="default" loading={push.isPending}>
            Push there
          </Button>
        </form>
        {push.data ? (
          <p className="hint" role="status">
            Your node has it now.
          </p>
        ) : null}
        <FailureNote error={save.error ?? push.error} />
      </div>
    </details>
  );
}

function saveAs(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
