import { shortId, type Bytes32 } from '../../src/shared/ids.ts';
import { useStatus } from '../state/status.ts';
import { CopyButton } from './CopyButton.tsx';

/** A fact on the chain: linked where the network has an explorer, always copyable. */
export function TransactionLink({ hash }: { hash: Bytes32 }) {
  const explorer = useStatus().data?.network.explorer;
  const url = explorer && /^https?:\/\//.test(explorer) ? `${explorer.replace(/\/$/, '')}/tx/${hash}` : null;
  return (
    <span className="hash">
      {url === null ? (
        <code title={hash}>{shortId(hash)}</code>
      ) : (
        <a href={url} target="_blank" rel="noopener noreferrer" title={hash}>
          <code>{shortId(hash)}</code>
        </a>
      )}
      <CopyButton text={hash} label="Copy transaction hash" />
    </span>
  );
}
