import { keccak256, toUtf8Bytes } from 'ethers';
import type { ContentStore } from '../../content/content-store.ts';
import { AppError, toAppError } from '../../shared/errors.ts';
import { jobFileSchema, type JobFile } from '../../shared/job-spec.ts';
import { canonicalJson } from '../../shared/json.ts';
import type { Log } from '../../shared/log.ts';
import type { JobTask } from '../../store/ledger.ts';
import { expandJob } from '../job-files/expand-job.ts';
import { specText } from '../job-files/spec-text.ts';
import type { JobDeskRoom } from './job-desk-room.ts';
import type { JobMoney } from './job-money.ts';
import { pinImage, unpinnedNotice, type ResolveImage } from './pin-image.ts';
import { batchOfPin, inputsPin, resolveInputs, withSampleParams } from './resolve-inputs.ts';

/** Tasks of one account that have not ended. */
const MOST_OPEN = 20_000;

export interface Submitted {
  batchId: string;
  taskIds: string[];
}

interface SubmissionsParts {
  room: JobDeskRoom;
  money: JobMoney;
  resolveImage: ResolveImage;
  /** How many tasks have not ended. */
  openTasks: () => number;
  /** They are in the book: they are to be posted. */
  onTasks: (tasks: readonly JobTask[]) => void;
}

/** Puts jobs into the book of one account: each file once, under the command that it came with. */
export class Submissions {
  readonly #parts: SubmissionsParts;
  readonly #underWay = new Map<string, { file: JobFile; submitted: Promise<Submitted> }>();

  constructor(parts: SubmissionsParts) {
    this.#parts = parts;
  }

  /** @see JobDesk.submit */
  async submit(given: JobFile, commandId: string, signal?: AbortSignal): Promise<Submitted> {
    const { account, ledger } = this.#parts.room;
    const batchId = keccak256(toUtf8Bytes(`jobs:${account.address}:${commandId}`)).slice(2, 26);
    const file = withSampleParams(given);
    const first = ledger.tasks.get(`${batchId}-0`);
    const under = this.#underWay.get(batchId);
    const before = first ? jobFileSchema.parse(first.file) : under?.file;
    if (before && !isSameFile(before, file)) {
      throw new AppError('conflict', 'This command id was used for another job.', {
        field: 'commandId',
        next: 'Submit with a new command id.',
      });
    }
    if (first) return { batchId, taskIds: taskIdsOf(batchId, first.of) };
    if (under) return under.submitted;
    const submitted = this.#submit(file, { batchId, commandId, signal }).finally(() => this.#underWay.delete(batchId));
    this.#underWay.set(batchId, { file, submitted });
    return submitted;
  }

  async #submit(
    file: JobFile,
    { batchId, commandId, signal }: { batchId: string; commandId: string; signal: AbortSignal | undefined },
  ): Promise<Submitted> {
    const { room, money, resolveImage } = this.#parts;
    const { account, content, policy, log } = room;
    const price = money.bountyOf(file);
    // Cheap mistakes are found before anything is read.
    const count = expandJob(file, { inputs: [] }).length;
    this.#checkRoom(count);
    await money.check(price, count);
    let tasks: JobTask[];
    let unpinned: string | null;
    try {
      const [inputs, pinned] = await Promise.all([
        resolveInputs(content, file, { pin: inputsPin(batchId), ...(signal === undefined ? {} : { signal }) }),
        pinImage(file, resolveImage, { signal }),
      ]);
      unpinned = pinned?.unpinned ?? null;
      const image = pinned ? { image: pinned.image } : {};
      const specs = expandJob(file, { inputs, renterPeer: account.peerKey, ...image });
      await policy.reserve({
        id: `jobs:${batchId}`,
        deal: batchId,
        token: price.token.address,
        amount: price.bounty * BigInt(specs.length),
      });
      tasks = this.#write(file, { batchId, commandId, texts: specs.map((spec) => specText(spec)) });
    } catch (thrown) {
      await policy.release(`jobs:${batchId}`);
      letInputsGo(content, log, batchId);
      throw thrown;
    }
    this.#parts.onTasks(tasks);
    await policy.commit(`jobs:${batchId}`);
    const taskIds = tasks.map(({ taskId }) => taskId);
    for (const taskId of taskIds) room.onChange(taskId);
    if (unpinned !== null) {
      const { level, title, body } = unpinnedNotice(file, unpinned);
      log.info({ batchId, body }, title);
      room.notify(level, title, body, taskIds[0] ?? '');
    }
    return { batchId, taskIds };
  }

  #write(
    file: JobFile,
    { batchId, commandId, texts }: { batchId: string; commandId: string; texts: readonly string[] },
  ): JobTask[] {
    const { account, ledger, clock } = this.#parts.room;
    const { secrets, ...open } = file;
    const taskIds = taskIdsOf(batchId, texts.length);
    return ledger.transaction(() =>
      texts.map((text, index) =>
        ledger.tasks.put({
          taskId: taskIds[index] ?? '',
          batchId,
          account: account.address,
          commandId,
          name: file.name,
          index,
          of: texts.length,
          file: JSON.parse(JSON.stringify(open)) as JobTask['file'],
          secrets: Object.keys(secrets).length === 0 ? null : secrets,
          specText: text,
          terms: null,
          jobId: null,
          attempts: 0,
          phase: 'waiting',
          detail: 'It is being posted.',
          priority: file.priority,
          notBefore: 0,
          deals: [],
          resultCid: null,
          verdict: null,
          paid: null,
          refund: null,
          endedAt: null,
          createdAt: clock.now(),
        }),
      ),
    );
  }

  #checkRoom(tasks: number): void {
    if (this.#parts.openTasks() + tasks <= MOST_OPEN) return;
    throw new AppError('busy', `More than ${MOST_OPEN} tasks would be waiting.`, {
      next: 'Wait until some have ended.',
    });
  }
}

const taskIdsOf = (batchId: string, of: number): string[] =>
  Array.from({ length: of }, (_, index) => `${batchId}-${index}`);

/** Secrets are not kept with a job, so they are not compared. */
function isSameFile(one: JobFile, other: JobFile): boolean {
  return canonicalJson({ ...one, secrets: null }) === canonicalJson({ ...other, secrets: null });
}

/**
 * Inputs that an earlier life of this host kept for submissions that never came into the book, or have ended. Before
 * anything is submitted.
 */
export function letLeftInputsGo({ content, ledger, log }: Pick<JobDeskRoom, 'content' | 'ledger' | 'log'>): void {
  const batches = new Set(content.roots().flatMap(({ pins }) => pins.flatMap((pin) => batchOfPin(pin) ?? [])));
  for (const batchId of batches) {
    const open = ledger.tasks.list({ batchId, open: true, limit: 1 }).rows.length > 0;
    if (!open) letInputsGo(content, log, batchId);
  }
}

/** Inputs of an ended submission may be evicted. */
export function letInputsGo(content: ContentStore, log: Log, batchId: string): void {
  const pin = inputsPin(batchId);
  for (const root of content.roots()) {
    if (!root.pins.includes(pin)) continue;
    content.unpin(root.cid, pin).catch((thrown: unknown) => {
      log.warn({ cid: root.cid, message: toAppError(thrown).message }, 'an input was not let go');
    });
  }
}
