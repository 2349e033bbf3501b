import type { Call, Chain, JobRequirements, Receipt, SendOptions } from '../../chain/chain.ts';
import type { ContentStore } from '../../content/content-store.ts';
import type { Address, Bytes32 } from '../../shared/ids.ts';
import type { Log } from '../../shared/log.ts';
import type { Clock } from '../../shared/time.ts';
import type { JobTask, Ledger, Notification } from '../../store/ledger.ts';
import type { SpendingPolicy } from '../../wallet/spending-policy.ts';
import type { CallBatcher } from './call-batcher.ts';
import type { ConnectToProvider, ProviderLines } from './provider-lines.ts';

/** Who pays: the main wallet, or a named practice account. */
export interface RenterAccount {
  /** @throws AppError not-found while there is no wallet */
  readonly address: Address;
  /** Of this account's own line: providers fetch inputs over it. */
  readonly peerKey: Bytes32;
  /** @throws AppError as Chain.send */
  send(call: Call, options: SendOptions): Promise<Receipt>;
}

/** What every task of one account shares. */
export interface JobDeskRoom {
  account: RenterAccount;
  chain: Chain;
  ledger: Ledger;
  content: ContentStore;
  connect: ConnectToProvider;
  /** Money the wallet's owner lets this app spend by itself. */
  policy: Pick<SpendingPolicy, 'reserve' | 'commit' | 'release' | 'endDeal'>;
  /** IPFS gateways that a result may come from too, in order, as URLs without a path. */
  gateways(): readonly string[];
  /** Seconds that a provider has for inputs, outputs and transactions on top of the run; see `transferSeconds`. */
  marginSeconds?: number;
  /** Between two looks at what is due, in real milliseconds; a second where it is left out. */
  tickMs?: number;
  clock: Clock;
  log: Log;
  /** A random number from 0 to 2^48 - 1: which rows of a result are looked at. */
  randomSeed(): number;
  /** Something about this task changed: screens look again. */
  onChange(taskId: string): void;
  /** A task waits for a provider, or one that waited does not any more. */
  onWaiting(): void;
  /** A sentence the owner should see. */
  notify(level: Notification['level'], title: string, body: string, taskId: string): void;
}

/** What every task needs besides. */
export interface FlowRoom extends JobDeskRoom {
  lines: ProviderLines;
  batcher: CallBatcher;
  /** Challenges lock money, which may be missing: what is stuck there holds nothing else up. */
  challenges: CallBatcher;
  /** The task was written: whoever counts and shows looks again; `over` once at its end. */
  onTask(task: JobTask): void;
}

const FRESH_MS = 30_000;

/** What governance asks of new jobs, asked of the chain at most twice a minute. */
export function cachedRequirements({ chain, clock }: Pick<JobDeskRoom, 'chain' | 'clock'>): {
  get(): Promise<JobRequirements>;
  /** A posting was refused: what we know may be old. */
  forget(): void;
} {
  let known: { value: Promise<JobRequirements>; atMs: number } | null = null;
  return {
    get() {
      if (known && clock.monotonicMs() - known.atMs < FRESH_MS) return known.value;
      const fresh = { value: chain.reads.jobRequirements(), atMs: clock.monotonicMs() };
      known = fresh;
      fresh.value.catch(() => {
        if (known === fresh) known = null;
      });
      return fresh.value;
    },
    forget() {
      known = null;
    },
  };
}
