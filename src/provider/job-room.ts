import type { Call, Chain, Receipt, SendOptions } from '../chain/chain.ts';
import type { ContentStore } from '../content/content-store.ts';
import type { PeerAddress, PeerConnection } from '../peer/peer-link.ts';
import type { DealLimits } from '../runtime/engine.ts';
import type { JobRuntimes } from '../runtime/job-runtime.ts';
import type { Address, Bytes32, Hex } from '../shared/ids.ts';
import type { JobSpec } from '../shared/job-spec.ts';
import type { Log } from '../shared/log.ts';
import type { Clock } from '../shared/time.ts';
import type { JobRun, Ledger, Notification } from '../store/ledger.ts';

/** Who works: the main wallet, or a named practice account. */
export interface WorkAccount {
  readonly address: Address;
  /** The key behind `signAcceptance`: the account's own, or one that it names as its operator when work is started. */
  readonly acceptanceSigner: Address;
  /** @throws AppError as Chain.send */
  send(call: Call, options: SendOptions): Promise<Receipt>;
  /** EIP-712 `Acceptance`, good until `validUntil` (unix seconds). */
  signAcceptance(jobId: Bytes32, offerId: Bytes32, validUntil: number): Promise<Hex>;
}

/** What every run of one account shares. */
export interface JobRoom {
  account: WorkAccount;
  chain: Chain;
  ledger: Ledger;
  runtimes: JobRuntimes;
  content: ContentStore;
  /** To the renter that a spec names; refuses anybody but its wallet. */
  connect(
    to: PeerAddress,
    options: { signal: AbortSignal; expectWallet: Address; purpose: PeerConnection['purpose'] },
  ): Promise<PeerConnection>;
  /** A folder of this account's own for inputs on their way into a run and outputs on their way out. */
  runsDir: string;
  /** IPFS gateways to ask, in order, as URLs without a path. */
  gateways(): readonly string[];
  clock: Clock;
  log: Log;
  /** Random bytes: salts of copies' commitments. */
  randomBytes32(): Bytes32;
  /** Between two looks at each run, in real milliseconds; a second where it is left out. */
  tickMs?: number;
  /** What a run on this offer may use of the machine. */
  limitsFor(offerId: Bytes32, spec: JobSpec): DealLimits;
  /** Something about this run changed: screens look again. */
  onChange(run: JobRun): void;
  /** A sentence the owner should see. */
  notify(level: Notification['level'], title: string, body: string, dealId: Bytes32): void;
}

/** What the owner decides, and what is offered. */
export interface WorkDoor {
  /** Own offers that may be worked on now. */
  offers(): readonly Bytes32[];
  /** The owner's policy: sharing is on, not snoozed, no rental runs, the resources are within the limits. */
  mayTake(offerId: Bytes32, spec: JobSpec): { free: boolean; reason: string };
}
