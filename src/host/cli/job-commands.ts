import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { ApiClient, ApiInputs, Job } from '../../api/contract.ts';
import { AppError, toAppError } from '../../shared/errors.ts';
import { formatBytes, GIB } from '../../shared/units.ts';
import type { Command, CommandContext } from './command.ts';
import { describe, folded, listed } from './job-lines.ts';
import { follow } from './session-commands.ts';
import { findTask, money, parseBytes, parseWhole, table } from './values.ts';

type JobFileInput = ApiInputs['jobs']['submit']['file'];

/** Exit code of `job submit --wait` and `job status --wait` where a task did not end well. */
const TASK_FAILED = 1;
const MAX_FILE_BYTES = 262_144;

const readFrom = async (name: string): Promise<string> => {
  if (name !== '-') {
    return readFile(name, 'utf8').catch((cause: unknown) => {
      throw new AppError('bad-input', `${name} cannot be read.`, {
        field: 'file',
        next: 'Name a file that is there.',
        cause,
      });
    });
  }
  let text = '';
  for await (const piece of process.stdin.setEncoding('utf8')) {
    text += String(piece);
    if (text.length > MAX_FILE_BYTES)
      throw new AppError('bad-input', 'The job is longer than 256 KiB.', { field: 'file' });
  }
  return text;
};

/** The job that was named or typed, read by the host, with what the command line adds. Says every notice. */
async function jobOf(client: ApiClient, context: CommandContext): Promise<JobFileInput> {
  const { options, rest } = context;
  const [name] = context.args;
  if ((name === undefined) === (rest.length === 0)) {
    throw new AppError('bad-input', 'Name a job file, or put a command line behind --.', {
      field: 'file',
      next: 'Use: job submit job.yaml, or: job submit --bounty 5 -- docker run busybox echo hello.',
    });
  }
  const text = name === undefined ? rest.map(quoted).join(' ') : await readFrom(name);
  const part = options.text('part');
  const { file, notices } = await client.jobs.read({
    text,
    ...(name === undefined ? { format: 'docker-run' } : {}),
    ...(part === undefined ? {} : { part }),
  });
  for (const { level, where, message } of notices) context.say(`${level}: ${where}: ${message}`);
  if (notices.some(({ level }) => level === 'refused') && !options.flag('anyway')) {
    throw new AppError('bad-input', 'Parts of this job cannot be honoured.', {
      field: 'file',
      next: 'Change them, or submit without them: --anyway.',
    });
  }
  const bounty = options.text('bounty') ?? file.bounty;
  const { work } = file;
  if (bounty === undefined) {
    throw new AppError('bad-input', 'A job needs a bounty.', {
      field: '--bounty',
      next: 'Say what it is worth: --bounty 5.',
    });
  }
  if (work === undefined) throw new AppError('bad-input', 'The job does not say what to run.', { field: 'work' });
  const token = options.text('token');
  const array = options.text('array');
  const folder = name === undefined || name === '-' ? process.cwd() : path.dirname(path.resolve(name));
  const inputs = (file.inputs ?? []).map((input) =>
    'upload' in input ? { ...input, upload: path.resolve(folder, input.upload) } : input,
  );
  return {
    ...file,
    work,
    bounty,
    inputs,
    ...(token === undefined ? {} : { token }),
    ...(array === undefined ? {} : { array: parseWhole(array, '--array', { min: 1, max: 1000 }) }),
    ...(options.flag('open') ? { assignment: 'open' as const } : {}),
  };
}

/** As a shell would read it back. */
const quoted = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

const isOver = ({ status }: Job): boolean => status === 'verified' || status === 'failed' || status === 'cancelled';

/** Nothing happens to it any more without its owner. */
const isStill = (job: Job): boolean => isOver(job) || job.review !== null;

/** Says each change on stderr until every task has ended or waits for its owner's word. */
async function untilOver(client: ApiClient, taskIds: readonly string[], context: CommandContext): Promise<Job[]> {
  let ended = 0;
  return Promise.all(
    taskIds.map(async (taskId) => {
      let said = '';
      for await (const job of await client.jobs.watch({ taskId }, { signal: context.signal })) {
        const line = `${job.status}${job.detail === '' ? '' : `: ${job.detail}`}`;
        if (taskIds.length === 1 && line !== said) context.say((said = line));
        if (!isStill(job)) continue;
        ended += 1;
        if (taskIds.length > 1) context.say(`${ended} of ${taskIds.length} tasks have ended or wait for you.`);
        return job;
      }
      throw new AppError('cancelled', 'Cancelled. The job goes on.', { next: `See commonwatt job status ${taskId}.` });
    }),
  );
}

const fileOptions = {
  bounty: { type: 'string', value: 'AMOUNT', about: 'for each task, in whole tokens; replaces the file’s' },
  token: { type: 'string', value: 'TOKEN', about: 'of the bounty; default WATT' },
  array: { type: 'string', value: 'N', about: 'run it so many times; each sees COMMONWATT_TASK_INDEX' },
  part: { type: 'string', value: 'NAME', about: 'which service or task of the file, where there are several' },
  open: { type: 'boolean', about: 'let any qualified provider take it, also while this host sleeps' },
  anyway: { type: 'boolean', about: 'submit without what cannot be honoured' },
} as const;

export const jobCommands: readonly Command[] = [
  {
    name: 'job submit',
    about: 'submit a job: a file (job.yaml, compose, Nosana, Bacalhau, Akash; - for stdin), or `-- docker run …`',
    args: ['[file]'],
    options: { ...fileOptions, wait: { type: 'boolean', about: 'wait until every task has ended or needs you' } },
    async run(context) {
      const client = await context.api();
      const file = await jobOf(client, context);
      const submitted = await client.jobs.submit({ commandId: crypto.randomUUID(), file });
      const count = submitted.taskIds.length;
      context.say(`Submitted ${count === 1 ? 'one task' : `${count} tasks`} as ${submitted.batchId}.`);
      if (!context.options.flag('wait')) {
        context.print(submitted, submitted.taskIds);
        return undefined;
      }
      const jobs = await untilOver(client, submitted.taskIds, context);
      context.print(jobs, jobs.length === 1 ? jobs.flatMap(describe) : listed(jobs));
      return jobs.every(({ status }) => status === 'verified') ? 0 : TASK_FAILED;
    },
  },
  {
    name: 'job estimate',
    about: 'what a job would cost and who could run it; posts nothing',
    args: ['[file]'],
    options: fileOptions,
    async run(context) {
      const client = await context.api();
      const estimate = await client.jobs.estimate({ file: await jobOf(client, context) });
      const { tasks, token, escrow, available, missing, fittingOffers, waiting } = estimate;
      context.print(estimate, [
        ...table([
          ['Tasks', `${tasks}`],
          ['Escrow', money(escrow, token)],
          ['Available', money(available, token)],
          ['Missing', money(missing, token)],
          ['Offers that fit', `${fittingOffers}`],
        ]),
        ...waiting.map(({ reason, offers }) => `  ${offers} offers: ${reason}`),
      ]);
    },
  },
  {
    name: 'job list',
    about: 'jobs of this host, newest first',
    options: {
      open: { type: 'boolean', about: 'only those that have not ended' },
      status: { type: 'string', value: 'WORD', about: 'pending, assigned, completed, verified, failed or cancelled' },
      batch: { type: 'string', value: 'ID', about: 'tasks of one submission' },
    },
    async run(context) {
      const client = await context.api();
      const status = context.options.text('status') as Job['status'] | undefined;
      const batchId = context.options.text('batch');
      const { jobs, counts, next } = await client.jobs.list({
        limit: 500,
        ...(status === undefined ? {} : { status }),
        ...(batchId === undefined ? {} : { batchId }),
        ...(context.options.flag('open') ? { open: true } : {}),
      });
      context.print({ jobs, counts, next }, listed(jobs));
    },
  },
  {
    name: 'job arrays',
    about: 'what was submitted, newest first, each in one line: an array of a thousand tasks too',
    options: { open: { type: 'boolean', about: 'only those with a task that has not ended' } },
    async run(context) {
      const client = await context.api();
      const page = await client.jobs.batches({ limit: 500, ...(context.options.flag('open') ? { open: true } : {}) });
      context.print(page, folded(page.batches));
    },
  },
  {
    name: 'job status',
    about: 'one task: where it stands, why it waits, what it cost',
    args: ['<task>'],
    options: { wait: { type: 'boolean', about: 'wait until it has ended or needs you' } },
    async run(context) {
      const client = await context.api();
      const taskId = await findTask(client, context.args[0] ?? '');
      const job = context.options.flag('wait')
        ? ((await untilOver(client, [taskId], context))[0] as Job)
        : await client.jobs.get({ taskId });
      context.print(job, describe(job));
      return context.options.flag('wait') && job.status !== 'verified' ? TASK_FAILED : 0;
    },
  },
  {
    name: 'job logs',
    about: 'what a task printed',
    args: ['<task>'],
    options: { follow: { type: 'boolean', about: 'keep printing' } },
    async run(context) {
      const client = await context.api();
      const taskId = await findTask(client, context.args[0] ?? '');
      const input = { taskId, follow: context.options.flag('follow') };
      await follow(client, await client.jobs.logs(input, { signal: context.signal }), context);
    },
  },
  {
    name: 'job results',
    about: 'the files of a task’s result; --to copies them, --print shows one',
    args: ['<task>'],
    options: {
      to: { type: 'string', value: 'FOLDER', about: 'copy the result here' },
      print: { type: 'string', value: 'FILE', about: 'print one file of it' },
      push: { type: 'string', value: 'URL', about: 'push it to your own IPFS node (Kubo RPC address)' },
      remove: { type: 'boolean', about: 'remove it from this computer' },
    },
    async run(context) {
      const client = await context.api();
      const taskId = await findTask(client, context.args[0] ?? '');
      const [folder, wanted, url] = ['to', 'print', 'push'].map((name) => context.options.text(name));
      if (wanted !== undefined) return printFile(client, taskId, wanted, context);
      if (url !== undefined) {
        const pushed = await client.jobs.pushResults({ taskId, url });
        context.print(pushed, `Pushed ${pushed.cid}.`);
        return undefined;
      }
      if (context.options.flag('remove')) {
        const job = await client.jobs.removeResults({ taskId });
        context.print(job, `The result of ${job.name === '' ? taskId : job.name} is no longer on this computer.`);
        return undefined;
      }
      if (folder !== undefined) {
        const saved = await client.jobs.saveResults({ taskId, folder: path.resolve(folder) });
        context.print(saved, `${saved.files} files, ${saved.bytes} bytes in ${saved.folder}.`);
        return undefined;
      }
      const results = await client.jobs.results({ taskId });
      context.print(results, table(results.files.map(({ path: name, bytes, type }) => [name, `${bytes}`, type])));
      return undefined;
    },
  },
  {
    name: 'job storage',
    about: 'the space that inputs and results take; set how much they may take, and IPFS gateways to fetch from',
    options: {
      limit: { type: 'string', value: 'SIZE', about: 'such as 200g' },
      gateways: { type: 'string', value: 'URLS', about: 'in order, with commas between them; "" for none' },
    },
    async run(context) {
      const client = await context.api();
      const [limit, gateways] = [context.options.text('limit'), context.options.text('gateways')];
      const change = {
        ...(limit === undefined ? {} : { limitBytes: leastGib(parseBytes(limit, '--limit')) }),
        ...(gateways === undefined ? {} : { gateways: gateways.split(',').filter((url) => url.trim() !== '') }),
      };
      const storage =
        Object.keys(change).length === 0 ? await client.jobs.storage() : await client.jobs.setStorage(change);
      context.print(storage, [
        ...table([
          ['Used', formatBytes(storage.usedBytes)],
          ['Kept', formatBytes(storage.keptBytes)],
          ['Limit', formatBytes(storage.limitBytes)],
        ]),
        ...storage.gateways.map((url) => `  gateway ${url}`),
      ]);
    },
  },
  {
    name: 'job cancel',
    about: 'take a task back that nobody runs yet; its bounty is free again',
    args: ['<task>'],
    options: { all: { type: 'boolean', about: 'every task of its array that nobody runs yet' } },
    async run(context) {
      const client = await context.api();
      const taskId = await findTask(client, context.args[0] ?? '');
      const cancel = (id: string) => client.jobs.cancel({ taskId: id, commandId: crypto.randomUUID() });
      if (context.options.flag('all')) {
        await withEach(client, taskId, context, { status: 'pending', isMeant: () => true, act: cancel });
        return;
      }
      const job = await cancel(taskId);
      context.print(job, describe(job));
    },
  },
  {
    name: 'job accept',
    about: 'pay a result that waits for you',
    args: ['<task>'],
    options: { all: { type: 'boolean', about: 'every result of its array that waits for you' } },
    async run(context) {
      const client = await context.api();
      const taskId = await findTask(client, context.args[0] ?? '');
      const accept = (id: string) => client.jobs.accept({ taskId: id, commandId: crypto.randomUUID() });
      if (context.options.flag('all')) {
        const isMeant = ({ review }: Job) => review !== null;
        await withEach(client, taskId, context, { status: 'completed', isMeant, act: accept });
        return;
      }
      const job = await accept(taskId);
      context.print(job, describe(job));
    },
  },
  {
    name: 'job reject',
    about: 'challenge a result that waits for you: a jury decides, your bond is locked until then',
    args: ['<task>'],
    options: { why: { type: 'string', value: 'TEXT', about: 'what is wrong with it' } },
    async run(context) {
      const client = await context.api();
      const reason = context.options.text('why');
      if (reason === undefined) {
        throw new AppError('bad-input', 'Say what is wrong with the result.', {
          field: '--why',
          next: 'Write for example: --why "the log shows no error of mine".',
        });
      }
      const taskId = await findTask(client, context.args[0] ?? '');
      const job = await client.jobs.reject({ taskId, commandId: crypto.randomUUID(), reason });
      context.print(job, describe(job));
    },
  },
  {
    name: 'job rerun',
    about: 'submit the same work again',
    args: ['<task>'],
    async run(context) {
      const client = await context.api();
      const taskId = await findTask(client, context.args[0] ?? '');
      const again = await client.jobs.rerun({ taskId, commandId: crypto.randomUUID() });
      context.print(again, again.taskIds);
    },
  },
  {
    name: 'job schedule',
    about: 'one scheduling cycle now; or say how this host schedules',
    options: {
      strategy: { type: 'string', value: 'NAME', about: 'how offers are chosen' },
      auto: { type: 'string', value: 'on|off', about: 'schedule at each change, or only when asked' },
    },
    async run(context) {
      const client = await context.api();
      const [strategy, auto] = [context.options.text('strategy'), context.options.text('auto')];
      if (auto !== undefined && auto !== 'on' && auto !== 'off') {
        throw new AppError('bad-input', '--auto must be on or off.', { field: '--auto', next: 'Write --auto on.' });
      }
      if (strategy === undefined && auto === undefined) {
        const cycle = await client.jobs.schedule();
        context.print(cycle, `${cycle.assigned} assigned, ${cycle.waiting} wait.`);
        return;
      }
      const set = await client.jobs.setScheduling({
        ...(strategy === undefined ? {} : { strategy }),
        ...(auto === undefined ? {} : { automatic: auto === 'on' }),
      });
      context.print(set, [
        `${set.automatic ? 'At each change' : 'Only when asked'}, ${set.strategy}; ${set.waiting} wait.`,
        ...set.strategies.map(({ name, about }) => `  ${name}: ${about}`),
      ]);
    },
  },
];

/** @throws AppError bad-input below what the host takes */
function leastGib(bytes: number): number {
  if (bytes >= GIB) return bytes;
  throw new AppError('bad-input', '--limit must be at least 1 GiB.', { field: '--limit', next: 'Write --limit 1g.' });
}

/** Does the same with every task that is meant of the submission `taskId` is of; one that goes on meanwhile is left. */
async function withEach(
  client: ApiClient,
  taskId: string,
  context: CommandContext,
  {
    status,
    isMeant,
    act,
  }: { status: Job['status']; isMeant: (job: Job) => boolean; act: (id: string) => Promise<Job> },
): Promise<void> {
  const { batchId } = await client.jobs.get({ taskId });
  const meant: string[] = [];
  for (let after: string | null | undefined; after !== null;) {
    const page = await client.jobs.list({ batchId, status, limit: 500, ...(after ? { after } : {}) });
    meant.push(...page.jobs.filter(isMeant).map((job) => job.taskId));
    after = page.next;
  }
  if (meant.length === 0) context.say('No task of this array waits for that.');
  const done: Job[] = [];
  for (const [index, id] of meant.entries()) {
    context.signal.throwIfAborted();
    const job = await act(id).catch((thrown: unknown) => {
      if (toAppError(thrown).code === 'conflict') return null;
      throw thrown;
    });
    if (job) done.push(job);
    context.say(`${index + 1} of ${meant.length} tasks.`);
  }
  context.print(done, listed(done));
}

async function printFile(client: ApiClient, taskId: string, wanted: string, context: CommandContext): Promise<void> {
  for (let offset = 0; ;) {
    const piece = await client.jobs.resultFile({ taskId, path: wanted, offset }, { signal: context.signal });
    const bytes = Buffer.from(piece.base64, 'base64');
    context.write(bytes);
    offset += bytes.length;
    if (bytes.length === 0 || offset >= piece.bytes) return;
  }
}
