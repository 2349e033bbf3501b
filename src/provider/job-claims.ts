import { isCid } from '../content/address.ts';
import { toAppError } from '../shared/errors.ts';
import type { Bytes32 } from '../shared/ids.ts';
import { jobSpecSchema, needsRenter, type JobSpec } from '../shared/job-spec.ts';
import type { IndexedJob } from '../store/indexed-jobs.ts';
import type { IndexedOffer } from '../store/market-rows.ts';
import { priceOf, shareOf } from './job-fit.ts';
import type { JobRoom, WorkDoor } from './job-room.ts';
import type { WorkChoice } from './work-choice.ts';

/** Open jobs looked at in one go, and claims sent in one. */
const LOOK_AT = 1000;
const TRIES = 8;
/** How long a claim holds its unit and bond at most, and a job that was not had is left alone. */
const CLAIM_SECONDS = 120;
const LEAVE_ALONE_SECONDS = 60;

/** Takes open jobs without being asked: looks whenever the market has changed, and takes what pays best. */
export class JobClaims {
  readonly #room: JobRoom;
  readonly #door: WorkDoor;
  readonly #choice: WorkChoice;
  readonly #isWanted: () => boolean;
  readonly #life = new AbortController();
  /** Until when a job is left alone, in unix seconds. */
  readonly #leftAlone = new Map<Bytes32, number>();
  readonly #off: () => void;
  #revision = -1;
  #wake: NodeJS.Timeout | null = null;
  #looking = false;
  #again = false;

  constructor(room: JobRoom, door: WorkDoor, choice: WorkChoice, isWanted: () => boolean) {
    this.#room = room;
    this.#door = door;
    this.#choice = choice;
    this.#isWanted = isWanted;
    this.#off = room.chain.sync.on(({ state, revision }) => {
      if (state !== 'live' || revision === this.#revision) return;
      this.#revision = revision;
      this.look();
    });
  }

  /** Something else has changed: the owner's wish, a run that is over. */
  look(): void {
    if (!this.#isWanted() || this.#life.signal.aborted) return;
    if (this.#looking) {
      this.#again = true;
      return;
    }
    this.#looking = true;
    void this.#lookAround().finally(() => {
      this.#looking = false;
      if (!this.#again) return;
      this.#again = false;
      this.look();
    });
  }

  close(): void {
    this.#life.abort();
    this.#off();
    if (this.#wake) clearTimeout(this.#wake);
  }

  async #lookAround(): Promise<void> {
    try {
      for (const offerId of this.#door.offers()) {
        const offer = this.#room.chain.offer(offerId);
        if (!offer || this.#choice.freeUnits(offerId) === 0) continue;
        for (const { job, spec } of this.#candidates(offer).slice(0, TRIES)) {
          if (!this.#isWanted() || this.#life.signal.aborted) return;
          await this.#claim(job, spec, offerId);
          if (this.#choice.freeUnits(offerId) === 0) break;
        }
      }
    } catch (thrown) {
      this.#room.log.info({ error: toAppError(thrown).message }, 'open jobs were not looked at');
    }
  }

  /** Best paid first: by what the bounty is of the offer's own price, then those in other tokens. */
  #candidates(offer: IndexedOffer): { job: IndexedJob; spec: JobSpec }[] {
    const { chain, account, clock } = this.#room;
    const now = clock.now();
    for (const [jobId, until] of this.#leftAlone) if (until <= now) this.#leftAlone.delete(jobId);
    const { gpuCount, gpuMemoryGb } = offer;
    return chain
      .openJobs({ limit: LOOK_AT, gpuCount, gpuMemoryGb, provider: account.address })
      .filter(({ jobId }) => !this.#leftAlone.has(jobId))
      .flatMap((job) => {
        const spec = parsed(job.spec);
        if (!spec || !areAddresses(spec) || waitsForRenter(spec, this.#room)) return [];
        const comparable = job.terms.token === offer.token;
        // In millionths, so that whole numbers compare.
        const pays = comparable ? (shareOf(job.terms) * 1_000_000n) / (priceOf(offer, spec) || 1n) : 0n;
        return [{ job, spec, pays }];
      })
      .toSorted((a, b) => (a.pays === b.pays ? a.job.postedAt - b.job.postedAt : a.pays > b.pays ? -1 : 1));
  }

  async #claim({ jobId, terms }: IndexedJob, spec: JobSpec, offerId: Bytes32): Promise<void> {
    const { account, chain, clock, log } = this.#room;
    const why = await this.#choice.take({ jobId, terms, spec }, offerId, clock.now() + CLAIM_SECONDS, {
      asked: false,
    });
    if (why !== null) {
      log.debug({ jobId, why }, 'an open job is left to others');
      this.#leave(jobId);
      return;
    }
    try {
      const signal = AbortSignal.any([this.#life.signal, AbortSignal.timeout(CLAIM_SECONDS * 1000)]);
      await account.send(chain.calls.claimJob(terms, offerId), {
        commandId: `job:${account.address}:${jobId}:claim:${clock.now()}`,
        signal,
      });
    } catch (thrown) {
      if (this.#life.signal.aborted) return;
      // Most often somebody else was quicker: nothing is lost but, at worst, the fee of one transaction.
      log.info({ jobId, error: toAppError(thrown).message }, 'an open job was not had');
      this.#leave(jobId);
      this.#choice.release(jobId);
    }
  }

  #leave(jobId: Bytes32): void {
    this.#leftAlone.set(jobId, this.#room.clock.now() + LEAVE_ALONE_SECONDS);
    // The market may stay as it is until then, so nothing else would make it look again.
    this.#wake ??= setTimeout(() => {
      this.#wake = null;
      this.look();
    }, LEAVE_ALONE_SECONDS * 1000);
  }
}

/** A renter that may be asleep, or mean harm, is not waited for: who asks is there, who only posted may not be. */
const waitsForRenter = (spec: JobSpec, room: JobRoom): boolean => needsRenter(spec) || isModuleElsewhere(spec, room);

const isModuleElsewhere = ({ work }: JobSpec, room: JobRoom): boolean =>
  work.type === 'wasm' && room.gateways().length === 0 && !room.content.has(work.module);

/** Whether what looks like content ids are some: asking a store about anything else throws. */
function areAddresses({ inputs, work }: JobSpec): boolean {
  const cids = inputs.flatMap((input) => ('cid' in input ? [input.cid] : []));
  if (work.type === 'wasm') cids.push(work.module);
  return cids.every(isCid);
}

/** A stranger's text as a spec; null where it is none. */
function parsed(text: string | null): JobSpec | null {
  try {
    return jobSpecSchema.parse(JSON.parse(text ?? ''));
  } catch {
    return null;
  }
}
