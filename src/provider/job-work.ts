import type { ChainEvent } from '../chain/events.ts';
import type { PeerConnection, PeerStream } from '../peer/peer-link.ts';
import { State } from '../shared/emitter.ts';
import { AppError } from '../shared/errors.ts';
import type { Bytes32 } from '../shared/ids.ts';
import type { Json } from '../shared/json.ts';
import type { JobRoom, WorkDoor } from './job-room.ts';

/** Whether this account takes jobs. What it has staked and what runs is read where it is shown. */
export interface WorkState {
  state: 'off' | 'starting' | 'on' | 'failed';
  detail: string;
  /** Also takes open jobs by itself. */
  claimsOpen: boolean;
}

/** Every job that one account runs for others: asked by renters, fed by the chain, taken up again after a restart. */
export class JobWork {
  readonly state = new State<WorkState>({ state: 'off', detail: 'This computer takes no jobs.', claimsOpen: false });
  readonly #room: JobRoom;
  readonly #door: WorkDoor;

  constructor(room: JobRoom, door: WorkDoor) {
    this.#room = room;
    this.#door = door;
  }

  /** Runs that are not over: at most one for each unit of an offer. */
  active(): readonly { dealId: Bytes32; offerId: Bytes32 }[] {
    return [];
  }

  /** Takes up every open run of the ledger, removes what no run needs, and goes back to what the owner wanted. */
  async recover(): Promise<void> {}

  onChain(_events: readonly ChainEvent[]): void {}

  /** A request whose kind begins with `job.`. @throws AppError not-found for anybody but the deal's renter */
  async onRequest(_connection: PeerConnection, kind: string, _body: Json): Promise<Json> {
    throw new AppError('unsupported', `This host does not know the request ${kind.slice(0, 60)}.`);
  }

  /** A stream whose kind begins with `job.`. */
  async onStream(_connection: PeerConnection, stream: PeerStream): Promise<void> {
    throw new AppError('unsupported', `This host does not know the stream ${stream.kind.slice(0, 60)}.`);
  }

  /** Stakes what is missing, lets Jobs lock bonds, names the operator. Idempotent. */
  async start(_options: { commandId: string; claimsOpen: boolean }): Promise<void> {
    void [this.#room, this.#door];
  }

  /** Takes no more; what runs is finished. */
  async stop(): Promise<void> {}

  /** The owner's explicit wish: this run is stopped and fails; the bond's late fee is lost. */
  async stopRun(_dealId: Bytes32, _reason: string): Promise<void> {}

  /** Lets go of everything in memory. Runs live on. */
  close(): void {}
}
