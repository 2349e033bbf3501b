import { parentPort, workerData } from 'node:worker_threads';
import { openIndexWriter } from '../store/open-index.ts';
import { createIndexer } from './indexer.ts';
import type { SyncState } from './chain.ts';
import { loggingContracts } from './profile.ts';
import type { NetworkProfile } from './profile.ts';
import { createRpc } from './rpc.ts';

/** What the host gives the worker. */
export interface IndexerWorkerData {
  profile: NetworkProfile;
  indexPath: string;
}

/** host -> worker */
export type ToIndexer = { type: 'poke' } | { type: 'stop' };
/** worker -> host: index.db is there and can be read, then each newest state. */
export type FromIndexer = { type: 'ready' } | { type: 'state'; state: SyncState };

if (!parentPort) throw new Error('indexer-worker runs as a worker thread');
const port = parentPort;
const { profile, indexPath } = workerData as IndexerWorkerData;
const { chainId, contracts } = profile;
const writer = openIndexWriter(indexPath, JSON.stringify([chainId, ...loggingContracts(contracts)]));
const stopping = new AbortController();
const indexer = createIndexer({
  rpc: createRpc({ urls: profile.rpcUrls, chainId }),
  profile,
  writer,
  random: Math.random,
  onState: (state) => port.postMessage({ type: 'state', state } satisfies FromIndexer),
});

port.on('message', (message: ToIndexer) => {
  if (message.type === 'poke') indexer.poke();
  else stopping.abort();
});
port.postMessage({ type: 'ready' } satisfies FromIndexer);
await indexer.run(stopping.signal);
writer.optimize();
writer.close();
port.close();
