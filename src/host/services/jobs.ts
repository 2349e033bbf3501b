import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { ApiOutputs, Job } from '../../api/contract.ts';
import type { ApiServices } from '../../api/services.ts';
import { pushCarToKubo } from '../../content/car.ts';
import { expandJob } from '../../renter/job-files/expand-job.ts';
import { readJobFile } from '../../renter/job-files/read-job-file.ts';
import { STRATEGY_NAMES } from '../../renter/jobs/scheduling.ts';
import { STRATEGIES } from '../../renter/schedule/strategies.ts';
import { readAll } from '../../renter/jobs/check-result.ts';
import { withSampleParams } from '../../renter/jobs/resolve-inputs.ts';
import { Emitter } from '../../shared/emitter.ts';
import { AppError, toAppError } from '../../shared/errors.ts';
import { JOB_STATUSES } from '../../shared/job-spec.ts';
import { hasResult, resultPin } from '../../renter/jobs/fetch-result.ts';
import type { JobTask, JobTaskPhase } from '../../store/ledger.ts';
import type { Rooms } from '../rooms.ts';
import { typeOfFile } from './file-types.ts';
import { jobView, phasesOf, statusOfPhase } from './job-view.ts';
import { newest } from './newest.ts';
import type { Sessions } from './sessions.ts';
import { Uploads } from './uploads.ts';

type OutputFrame = ApiOutputs['jobs']['logs'] extends AsyncIterable<infer Frame> ? Frame : never;

const MOST_RESULT_FILES = 10_000;
const LOG_CHUNK = 64 * 1024;
/** What their programs print may differ while the results agree. */
const NO_LOGS =
  'This result holds no logs. Copies of a redundancy job keep none: their folders have to agree to the byte.\n';

export function jobsServices(rooms: Rooms, sessions: Sessions): ApiServices['jobs'] {
  const { ledger, content, jobs, wallet } = rooms;
  const uploads = new Uploads(path.join(rooms.dataDir, 'uploads'), content);
  const tidy = () => void uploads.tidy().catch(() => undefined);
  tidy();
  jobs.taskChanged.on(tidy);

  const find = (taskId: string): JobTask => {
    const task = ledger.tasks.get(taskId);
    if (task) return task;
    throw new AppError('not-found', 'This host knows no such job.', {
      field: 'taskId',
      next: 'List your jobs and take the id from there.',
    });
  };
  const view = (taskId: string): Job => jobView(find(taskId), rooms);
  const deskOf = ({ account }: JobTask) => {
    const desk = jobs.deskOf(account);
    if (desk) return desk;
    throw new AppError('conflict', 'This job belongs to a wallet that is not open here.', { field: 'taskId' });
  };

  const page = (filter: {
    batchId?: string | undefined;
    status?: Job['status'] | undefined;
    open?: boolean | undefined;
    after?: string | undefined;
    limit: number;
  }): ApiOutputs['jobs']['list'] => {
    const account = wallet.status.value.address;
    if (!account) return { jobs: [], counts: countsOf({}), next: null };
    const { rows, cursor } = ledger.tasks.list({
      account,
      limit: filter.limit,
      ...(filter.batchId === undefined ? {} : { batchId: filter.batchId }),
      ...(filter.open === undefined ? {} : { open: filter.open }),
      ...(filter.status === undefined ? {} : { phases: phasesOf(filter.status) }),
      ...(filter.after === undefined ? {} : { cursor: filter.after }),
    });
    const counts = countsOf(
      ledger.tasks.count({ account, ...(filter.batchId === undefined ? {} : { batchId: filter.batchId }) }),
    );
    return { jobs: rows.map(({ taskId }) => view(taskId)), counts, next: cursor };
  };

  const batchPage = (filter: {
    batchId?: string | undefined;
    open?: boolean | undefined;
    after?: string | undefined;
    limit: number;
  }): ApiOutputs['jobs']['batches'] => {
    const account = wallet.status.value.address;
    if (!account) return { batches: [], counts: countsOf({}), next: null };
    const which = filter.batchId === undefined ? {} : { batchId: filter.batchId };
    const { rows, cursor } = ledger.tasks.batches({
      account,
      limit: filter.limit,
      ...which,
      ...(filter.open === undefined ? {} : { open: filter.open }),
      ...(filter.after === undefined ? {} : { cursor: filter.after }),
    });
    return {
      batches: rows.map(({ batchId, taskId, phases }) => ({
        batchId,
        counts: countsOf(phases),
        review: phases.review ?? 0,
        job: view(taskId),
      })),
      counts: countsOf(ledger.tasks.count({ account, ...which })),
      next: cursor,
    };
  };

  const result = (taskId: string): { task: JobTask; cid: string } => {
    const task = find(taskId);
    if (task.resultCid !== null && hasResult(content, task)) return { task, cid: task.resultCid };
    throw new AppError('not-found', 'The result of this job is not on this computer.', {
      field: 'taskId',
      next: task.endedAt === null ? 'Wait until the job has ended.' : 'Run the job again.',
    });
  };

  const storage = (): ApiOutputs['jobs']['storage'] => {
    const { bytes, limitBytes, pinnedBytes } = content.usage();
    return {
      usedBytes: bytes,
      keptBytes: pinnedBytes,
      limitBytes,
      gateways: [...jobs.contentSettings.gateways()],
    };
  };

  /** Both outputs as a result folder holds them; none where it holds none. */
  async function keptOutputs(cid: string): Promise<[1 | 2, Buffer][]> {
    const found: [1 | 2, Buffer][] = [];
    for await (const { path: file, kind } of content.entries(cid)) {
      const stream = file === 'logs/stdout' ? 1 : file === 'logs/stderr' ? 2 : null;
      // In order of their names.
      if (file > 'logs/stdout') break;
      if (stream === null || kind !== 'file') continue;
      found.push([stream, Buffer.from(await readAll(content.read(cid, file)))]);
    }
    return found.toSorted(([a], [b]) => a - b);
  }

  /** Logs of a run that has ended, out of its result folder. */
  async function* keptLogs(cid: string): AsyncGenerator<OutputFrame, void> {
    yield { type: 'opened', sessionId: crypto.randomUUID() };
    let seq = 0;
    const kept = await keptOutputs(cid);
    if (kept.length === 0) {
      const base64 = Buffer.from(NO_LOGS).toString('base64');
      yield { type: 'data', seq: 1, stream: 2, base64 };
    }
    for (const [stream, bytes] of kept) {
      for (let at = 0; at < bytes.length; at += LOG_CHUNK) {
        seq += 1;
        yield { type: 'data', seq, stream, base64: bytes.subarray(at, at + LOG_CHUNK).toString('base64') };
      }
    }
    yield { type: 'exit', exitCode: null, reason: '' };
  }

  return {
    read: async ({ text, format, part }) => {
      const which = { ...(format === undefined ? {} : { format }), ...(part === undefined ? {} : { part }) };
      const read = readJobFile(text, which);
      return { format: read.format, file: read.file, notices: read.notices };
    },
    estimate: async ({ file }) => {
      const { tasks, token, escrow, available, missing, feeBps } = await jobs.desk.cost(file);
      const [spec] = expandJob(withSampleParams(file), { inputs: [], image: 'any/image' });
      if (!spec) throw new AppError('internal', 'The job stands for no task.');
      const outlook = await jobs.scheduling.outlook({
        taskId: 'estimate',
        account: jobs.desk.address,
        spec,
        token: token.address,
        bounty: escrow / BigInt(tasks),
        priority: file.priority,
        createdAt: rooms.clock.now(),
        excluded: [],
      });
      return {
        tasks,
        token,
        escrow: `${escrow}`,
        available: `${available}`,
        missing: `${missing}`,
        feeBps,
        fittingOffers: outlook.fitting,
        waiting: outlook.reasons.map(({ reason, offers }) => ({ reason, offers })),
      };
    },
    submit: async ({ commandId, file }, { signal }) => ({
      ...(await jobs.desk.submit(file, commandId, signal)),
      status: 'Job submitted',
    }),
    upload: (piece) => uploads.take(piece),
    list: async (filter) => page(filter),
    batches: async (filter) => batchPage(filter),
    get: async ({ taskId }) => view(taskId),
    async *watch({ taskId }, { signal }) {
      find(taskId);
      const changed = new Emitter<void>();
      const off = jobs.taskChanged.on((id) => {
        if (id === taskId || id === '') changed.emit();
      });
      try {
        for await (const _ of newest(changed, signal)) yield view(taskId);
      } finally {
        off();
      }
    },
    async *watchList({ limit }, { signal }) {
      const changed = new Emitter<void>();
      const off = jobs.taskChanged.on(() => changed.emit());
      try {
        for await (const _ of newest(changed, signal, 250)) yield page({ limit });
      } finally {
        off();
      }
    },
    cancel: async ({ taskId }) => {
      await deskOf(find(taskId)).cancel(taskId);
      return view(taskId);
    },
    accept: async ({ taskId }) => {
      deskOf(find(taskId)).accept(taskId);
      return view(taskId);
    },
    reject: async ({ taskId, reason }) => {
      await deskOf(find(taskId)).reject(taskId, reason);
      return view(taskId);
    },
    rerun: async ({ taskId, commandId }) => {
      const task = find(taskId);
      return { ...(await deskOf(task).rerun(task, commandId)), status: 'Job submitted' };
    },
    async *logs({ taskId, follow, dealId }, { signal }) {
      const task = find(taskId);
      const kept =
        dealId === undefined || task.deals.some((deal) => deal.dealId === dealId && deal.resultCid === task.resultCid);
      if (kept && task.resultCid !== null && content.has(task.resultCid)) {
        yield* keptLogs(task.resultCid);
        return;
      }
      const options = { follow, fromByte: 0, ...(dealId === undefined ? {} : { dealId }) };
      yield* sessions.frames(await deskOf(task).logs(taskId, options, signal), true, signal);
    },
    checkpoint: async ({ taskId }, { signal }) => {
      await deskOf(find(taskId)).checkpoint(taskId, signal);
      return { ok: true };
    },
    results: async ({ taskId }, { signal }) => {
      const { cid } = result(taskId);
      const files: ApiOutputs['jobs']['results']['files'] = [];
      for await (const entry of content.entries(cid, { signal })) {
        if (entry.kind === 'file') files.push({ path: entry.path, bytes: entry.size, type: typeOfFile(entry.path) });
        if (files.length >= MOST_RESULT_FILES) break;
      }
      return { cid, files };
    },
    resultFile: async ({ taskId, path: file, offset, length }, { signal }) => {
      const { cid } = result(taskId);
      let size: number | null = null;
      for await (const entry of content.entries(cid, { signal })) {
        if (entry.kind === 'file' && entry.path === file) size = entry.size;
        if (size !== null) break;
      }
      if (size === null) throw new AppError('not-found', 'The result has no such file.', { field: 'path' });
      const bytes =
        offset >= size ? Buffer.alloc(0) : await readAll(content.read(cid, file, { offset, length, signal }));
      return { base64: Buffer.from(bytes).toString('base64'), offset, bytes: size, type: typeOfFile(file) };
    },
    saveResults: async ({ taskId, folder }, { signal }) => {
      const { cid } = result(taskId);
      const target = path.resolve(folder);
      if ((await stat(target).catch(() => null))?.isFile()) {
        throw new AppError('conflict', `${target} is a file.`, { field: 'folder', next: 'Name a folder.' });
      }
      const { files: saved, bytes } = await content.materialize(cid, target, { signal });
      return { folder: target, files: saved, bytes };
    },
    pushResults: async ({ taskId, url }, { signal }) => {
      const { cid } = result(taskId);
      await pushCarToKubo(content, url, cid, { signal });
      return { cid };
    },
    removeResults: async ({ taskId }) => {
      const { task, cid } = result(taskId);
      if (task.endedAt === null) {
        throw new AppError('conflict', 'This job has not ended: its result is still needed.', { field: 'taskId' });
      }
      await content.unpin(cid, resultPin(taskId));
      // Where another task or the owner keeps the same content, it stays for them.
      if (content.stat(cid)?.pins.length === 0) {
        await content.remove(cid).catch((thrown: unknown) => {
          // Somebody reads it just now: it goes when the space is needed.
          if (toAppError(thrown).code !== 'conflict') throw thrown;
        });
      }
      jobs.taskChanged.emit(taskId);
      return view(taskId);
    },
    storage: async () => storage(),
    setStorage: async (change) => {
      jobs.contentSettings.set(change);
      return storage();
    },
    scheduling: async () => schedulingView(rooms),
    setScheduling: async ({ automatic, strategy }) => {
      const name = STRATEGY_NAMES.find((known) => known === strategy);
      if (strategy !== undefined && name === undefined) {
        throw new AppError('bad-input', `There is no strategy ${strategy}.`, {
          field: 'strategy',
          next: `Use one of: ${STRATEGY_NAMES.join(', ')}.`,
        });
      }
      jobs.scheduling.set({
        ...(automatic === undefined ? {} : { automatic }),
        ...(name === undefined ? {} : { strategy: name }),
      });
      return schedulingView(rooms);
    },
    schedule: async () => {
      const { assigned, waiting } = await jobs.scheduling.trigger();
      return { assigned, waiting };
    },
  };
}

/** The book's phases in the founding documents' words. */
function countsOf(phases: Partial<Record<JobTaskPhase, number>>): Record<Job['status'], number> {
  const counts = Object.fromEntries(JOB_STATUSES.map((status) => [status, 0])) as Record<Job['status'], number>;
  for (const [phase, many] of Object.entries(phases)) counts[statusOfPhase(phase as JobTaskPhase)] += many;
  return counts;
}

function schedulingView({ jobs }: Rooms): ApiOutputs['jobs']['scheduling'] {
  const { automatic, strategy, waiting, lastCycleAt, lastAssigned, lastMs } = jobs.scheduling.status;
  const strategies = STRATEGY_NAMES.map((name) => ({ name, about: STRATEGIES[name].about }));
  return { automatic, strategy, strategies, waiting, lastCycleAt, lastAssigned, lastMs };
}
