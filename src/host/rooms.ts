import type { Status } from '../api/contract.ts';
import type { Chain } from '../chain/chain.ts';
import type { Gpus } from '../gpu/gpus.ts';
import type { PeerLink } from '../peer/peer-link.ts';
import type { ContentStore } from '../content/content-store.ts';
import type { Deals } from '../provider/deals.ts';
import type { JobWork } from '../provider/job-work.ts';
import type { Sharing } from '../provider/sharing.ts';
import type { JobDesk } from '../renter/jobs/job-desk.ts';
import type { Scheduling } from '../renter/jobs/scheduling.ts';
import type { Rentals } from '../renter/rentals.ts';
import type { Engine } from '../runtime/engine.ts';
import type { Emitter, State } from '../shared/emitter.ts';
import type { Address, Bytes32 } from '../shared/ids.ts';
import type { Log } from '../shared/log.ts';
import type { ReadyCheck } from '../shared/ready-check.ts';
import type { Clock } from '../shared/time.ts';
import type { Deal, JobRun, Ledger, Notification } from '../store/ledger.ts';
import type { Wallet } from '../wallet/wallet.ts';
import type { Neighbour } from './neighbour.ts';
import type { ContentSettings } from './content-settings.ts';

/** The practice network's own conveniences; null on real networks. */
export interface Practice {
  faucet(account: Address): Promise<unknown>;
  /** Where other hosts join; null when this host itself joined one. */
  joinUrl: string | null;
  neighbour: Neighbour;
}

/** Somebody who pays for jobs, by name. */
export interface PracticeClient {
  readonly name: string;
  readonly address: Address;
  /** What it was given to spend, smallest units of WATT. */
  readonly initialBalance: bigint;
  readonly desk: JobDesk;
  /** Free in its deposit account, smallest units of WATT. */
  balance(): Promise<bigint>;
}

/** Somebody who runs jobs, by name, on a card that is only declared. */
export interface PracticeWorker {
  readonly name: string;
  readonly address: Address;
  readonly gpuType: string;
  readonly computeCapacity: number;
  /** Smallest units of WATT. */
  readonly stakeAmount: bigint;
  readonly offerId: Bytes32;
  readonly work: JobWork;
  /** What its jobs have earned after fees, smallest units of WATT. */
  earned(): bigint;
}

/**
 * Named accounts of the practice network, all inside this host: each has a key, a line and money of its own, so that what
 * happens between them is real transactions and real connections. Kept over restarts.
 */
export interface PracticeAccounts {
  /** The client of this name, made and funded where there is none. @throws AppError busy when there are too many */
  client(name: string, options?: { initialBalance?: bigint }): Promise<PracticeClient>;
  /** The worker of this name, made, funded, staked and on the market. Its card is marked as simulated. */
  worker(
    name: string,
    options: { gpuType: string; computeCapacity: number; stakeAmount: bigint },
  ): Promise<PracticeWorker>;
  findClient(name: string): PracticeClient | null;
  findWorker(name: string): PracticeWorker | null;
  clients(): PracticeClient[];
  workers(): PracticeWorker[];
}

/** Jobs of this host's accounts, from both sides. */
export interface JobRooms {
  /** Of the main wallet. */
  desk: JobDesk;
  /** Of the main wallet. */
  work: JobWork;
  /** Of every account. */
  scheduling: Scheduling;
  /** Whose tasks these are; null for an account that is not this host's. */
  deskOf(account: Address): JobDesk | null;
  /** The id of a task that changed, in the book or live; empty where only figures did. */
  taskChanged: Emitter<string>;
  runChanged: Emitter<JobRun>;
  /** Null on real networks, and on a practice network that another host runs. */
  accounts: PracticeAccounts | null;
  contentSettings: ContentSettings;
}

/** Everything a running host holds, wired once by createHost and handed to the services. */
export interface Rooms {
  version: string;
  dataDir: string;
  startedAt: number;
  clock: Clock;
  log: Log;
  ledger: Ledger;
  chain: Chain;
  wallet: Wallet;
  engine: Engine;
  /** Checks beyond the engine's own: the line, the wallet, the network. */
  checks(): Promise<ReadyCheck[]>;
  gpus: Gpus;
  line: State<{ link: PeerLink | null; state: Status['peer']['state']; connections: number }>;
  sharing: Sharing;
  deals: Deals;
  rentals: Rentals;
  content: ContentStore;
  jobs: JobRooms;
  practice: Practice | null;
  /** A deal of either side changed, in the book or live. */
  dealChanged: Emitter<Deal>;
  notified: Emitter<Notification>;
  /** Asks the process to close. */
  shutdown(): void;
}
