/** A provider's jobs from assignment to payment, against the real contracts, and through the death of its host anywhere. */
import { createHash } from 'node:crypto';
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ZeroHash } from 'ethers';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cidToBytes32 } from '../src/content/address.ts';
import { fetchContent } from '../src/content/fetch-content.ts';
import { serveGateway } from '../src/content/serve-blocks.ts';
import { AppError } from '../src/shared/errors.ts';
import type { Address, Bytes32 } from '../src/shared/ids.ts';
import { resultInfoSchema, type ResultInfo } from '../src/shared/job-spec.ts';
import type { JobTerms } from '../src/shared/job-terms.ts';
import type { JobRun } from '../src/store/ledger.ts';
import { describeUnless } from './support/describe-unless.ts';
import { FakeRuntimes, type FakeProcess } from './support/fake-runtimes.ts';
import { anvilMissing } from './support/market.ts';
import { Party } from './support/party.ts';
import { WorkWorld } from './support/work-world.ts';

const WINDOW = 1800;
const WATT = 10n ** 18n;
const SALT: Bytes32 = `0x${'5a'.repeat(32)}`;

describeUnless(anvilMissing(), 'jobs of a provider', () => {
  const runtimes = new FakeRuntimes();
  const scratch = mkdtempSync(path.join(tmpdir(), 'commonwatt-job-files-'));
  let world: WorkWorld;

  beforeAll(async () => {
    world = await WorkWorld.open(runtimes, { units: 8 });
  }, 60_000);
  afterAll(async () => {
    await world?.close();
    rmSync(scratch, { recursive: true, force: true });
  });

  const finishes = (process: FakeProcess) => {
    process.files.set('answer.txt', '42');
    process.files.set('deep/er.txt', 'still here');
    process.say(1, 'hello\n');
    process.say(2, 'oops\n');
    process.exit(0);
  };

  beforeEach(() => {
    runtimes.onStart = finishes;
    runtimes.startFails = null;
    runtimes.isDown = false;
    world.policy = { free: true, reason: '' };
    world.notes.length = 0;
  });

  /** The next process runs until the test ends it. */
  const running = (): Promise<FakeProcess> => {
    const { promise, resolve } = Promise.withResolvers<FakeProcess>();
    runtimes.onStart = resolve;
    return promise;
  };

  /** What the renter finds in the result, fetched over its line to the provider. */
  const result = async (run: JobRun): Promise<{ info: ResultInfo; files: Map<string, string> }> => {
    const cid = run.resultCid ?? '';
    const store = world.renter.content;
    await fetchContent(cid, [{ peer: await world.line() }], { store });
    const files = new Map<string, string>();
    for await (const { path: name, kind } of store.entries(cid)) {
      if (kind === 'folder') continue;
      const parts: Uint8Array[] = [];
      for await (const part of store.read(cid, name)) parts.push(part);
      files.set(name, Buffer.concat(parts).toString());
    }
    return { info: resultInfoSchema.parse(JSON.parse(files.get('result.json') ?? '')), files };
  };

  const accept = (terms: Parameters<WorkWorld['renter']['chain']['calls']['acceptJob']>[0]) =>
    world.renter.send(world.renter.chain.calls.acceptJob(terms, world.offerId));

  const stateOf = async (dealId: Bytes32) => (await world.renter.chain.reads.jobDeal(dealId)).state;

  /** Another provider, by hand: takes a copy, commits to a result, shows it. */
  const rivalOf = async () => {
    const rival = await Party.withMoney('rival', world.network, world.clock, 500n * WATT);
    const { chain, account, peerKey } = rival;
    const { calls, profile } = chain;
    for (const module of [profile.contracts.stakes, profile.contracts.jobs]) {
      await rival.send(calls.authorize(module as Address, true));
    }
    await rival.send(calls.stake('provider', 100n * WATT));
    const mine = await world.provider.chain.reads.offer(world.offerId);
    if (!mine) throw new Error('there is no offer');
    await rival.send(calls.registerOffer({ ...mine.offer, peerKey }, SALT));
    return { rival, offerId: calls.offerId(account, SALT) };
  };

  describe('the whole way', () => {
    test('asked, assigned, run, submitted, fetched by the renter, accepted, paid', async () => {
      const { terms, dealId } = await world.assign(world.spec());
      const run = await world.phase(dealId, 'submitted');
      expect(run).toMatchObject({ exitCode: 0, salt: null, paid: null, settledAt: null });
      expect(
        (await world.renter.chain.sync.until(() => world.renter.chain.jobDeal(dealId)?.state === 'submitted')).state,
      ).toBe('live');
      expect(world.renter.chain.jobDeal(dealId)?.resultId).toBe(cidToBytes32(run.resultCid ?? ''));
      const { info, files } = await result(run);
      expect(info).toEqual({ version: 1, exitCode: 0, reason: 'exited', detail: '' });
      expect([...files.keys()].toSorted()).toEqual([
        'logs/stderr',
        'logs/stdout',
        'out/answer.txt',
        'out/deep/er.txt',
        'result.json',
      ]);
      expect(files.get('out/answer.txt')).toBe('42');
      expect(files.get('logs/stdout')).toBe('hello\n');
      expect(files.get('logs/stderr')).toBe('oops\n');
      await accept(terms);
      const settled = await world.phase(dealId, 'settled');
      expect(settled.paid).toBe(terms.bounty);
      expect(settled.settledAt).not.toBeNull();
      await expect.poll(() => runtimes.processes.size).toBe(0);
      expect(world.notes.at(-1)).toMatchObject({ level: 'success', body: expect.stringContaining('WATT earned') });
    });

    test('inputs: a folder of the renter over the line, a file from a URL, content from a gateway', async () => {
      const folder = path.join(scratch, 'folder');
      mkdirSync(path.join(folder, 'sub'), { recursive: true });
      writeFileSync(path.join(folder, 'a.txt'), 'from the renter');
      writeFileSync(path.join(folder, 'sub/b.txt'), 'x'.repeat(3_000_000));
      const upload = await world.renter.content.importFolder(folder);
      world.shared.add(upload.cid);
      const ipfs = await world.renter.content.importBytes(Buffer.from('from a gateway'));
      const gateway = serveGateway(world.renter.content, (root) => root === ipfs.cid);
      const server = http.createServer((request, response) => {
        const [, kind, name] = new URL(request.url ?? '', 'http://x').pathname.split('/');
        if (kind !== 'ipfs') return void response.end('from a url');
        void gateway(name ?? '').then((bytes) => {
          response.statusCode = bytes ? 200 : 404;
          response.end(bytes ?? '');
        });
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      world.gateways = [base];
      try {
        const held = running();
        const { terms, dealId } = await world.assign(
          world.spec({
            inputs: [
              { from: 'renter', path: 'data/folder', cid: upload.cid, bytes: 3_000_015 },
              {
                from: 'url',
                path: 'url.txt',
                url: `${base}/file`,
                sha256: createHash('sha256').update('from a url').digest('hex'),
              },
              { from: 'ipfs', path: 'ipfs.txt', cid: ipfs.cid },
            ],
          }),
        );
        const process = await held;
        expect([...process.inputs.keys()].toSorted()).toEqual([
          'data/folder/a.txt',
          'data/folder/sub/b.txt',
          'ipfs.txt',
          'url.txt',
        ]);
        expect(process.inputs.get('data/folder/a.txt')).toBe('from the renter');
        expect(process.inputs.get('url.txt')).toBe('from a url');
        expect(process.inputs.get('ipfs.txt')).toBe('from a gateway');
        await world.phase(dealId, 'running');
        finishes(process);
        const { resultCid } = await world.phase(dealId, 'submitted');
        // Inputs may be evicted from now on, the result may not.
        const { content } = world.provider;
        expect(content.stat(upload.cid)?.pins).toEqual([]);
        expect(content.stat(resultCid ?? '')?.pins).toContain(`run:${dealId}`);
        await accept(terms);
        await world.phase(dealId, 'settled');
      } finally {
        server.close();
        world.gateways = [];
      }
    });

    test('a program that fails, or is stopped for taking too long, has a result: it is submitted and says so', async () => {
      runtimes.onStart = (process) => process.exit(3);
      const failing = await world.assign(world.spec());
      const first = await world.phase(failing.dealId, 'submitted');
      runtimes.onStart = (process) =>
        process.exit(137, { exitCode: null, reason: 'run-timeout', detail: 'It ran longer than agreed.' });
      expect((await result(first)).info).toMatchObject({ exitCode: 3, reason: 'exited' });
      const late = await world.assign(world.spec());
      const second = await world.phase(late.dealId, 'submitted');
      expect(second.exitCode).toBeNull();
      expect((await result(second)).info).toMatchObject({ exitCode: null, reason: 'run-timeout' });
      await accept(failing.terms);
      await accept(late.terms);
      await world.phase(late.dealId, 'settled');
    });

    test('outputs over what was agreed are left out, and the result says why', async () => {
      const { terms, dealId } = await world.assign(world.spec({ outputs: { maxBytes: 10, maxFiles: 10 } }));
      const { info, files } = await result(await world.phase(dealId, 'submitted'));
      expect(info).toMatchObject({ exitCode: 0, reason: 'output-limit' });
      expect(info.detail).not.toBe('');
      expect([...files.keys()].filter((name) => name.startsWith('out/'))).toEqual([]);
      expect(files.get('logs/stdout')).toBe('hello\n');
      await accept(terms);
    });

    test('a locked wallet holds the result up, the owner is told, and it goes out once it is open', async () => {
      let locked = true;
      world.beforeSend = async () => {
        if (locked) throw new AppError('locked', 'The wallet is locked.');
      };
      try {
        const { terms, dealId } = await world.assign(world.spec());
        await world.until(dealId, ({ detail }) => detail === 'Waits: The wallet is locked.');
        expect(world.notes.filter(({ title }) => title === 'A finished job cannot be handed in')).toHaveLength(1);
        locked = false;
        await world.phase(dealId, 'submitted');
        await accept(terms);
        await world.phase(dealId, 'settled');
      } finally {
        world.beforeSend = async () => undefined;
      }
    });

    test('a renter that stays silent for the window pays', async () => {
      const { terms, dealId } = await world.assign(world.spec());
      await world.phase(dealId, 'submitted');
      await world.jump(WINDOW + 20);
      const settled = await world.phase(dealId, 'settled');
      expect(settled.paid).toBe(terms.bounty);
    });
  });

  describe('what the renter asks over the line', () => {
    test('secrets: the run waits for them, they reach the work and never the book', async () => {
      const held = running();
      const { terms, dealId } = await world.assign(world.spec({ secrets: ['TOKEN'] }));
      await world.until(dealId, ({ detail }) => detail.includes('secrets'));
      await expect(world.request('job.begin', { dealId, secrets: { OTHER: 'x' } })).rejects.toMatchObject({
        code: 'bad-input',
        field: 'secrets.TOKEN',
      });
      await world.request('job.begin', { dealId, secrets: { TOKEN: 'hush-hush' } });
      const process = await held;
      expect(process.plan.env['TOKEN']).toBe('hush-hush');
      await world.phase(dealId, 'running');
      expect(
        JSON.stringify(world.provider.ledger.runs.get(dealId), (_, value: unknown) =>
          typeof value === 'bigint' ? `${value}` : value,
        ),
      ).not.toContain('hush');
      finishes(process);
      await world.phase(dealId, 'submitted');
      await accept(terms);
    });

    test('status, events, live logs from any byte, a checkpoint', async () => {
      const held = running();
      const { terms, dealId } = await world.assign(world.spec());
      const process = await held;
      await world.phase(dealId, 'running');
      const line = await world.line();
      expect(await line.request('job.status', { dealId })).toMatchObject({ dealId, phase: 'running', resultCid: null });
      await line.request('job.checkpoint', { dealId });
      expect(process.checkpoints).toBe(1);
      process.say(1, 'abc');
      process.say(2, 'def');
      const stream = await line.open('job.logs', { dealId, follow: false, fromByte: 2 });
      const chunks: string[] = [];
      for await (const bytes of stream.bytes) chunks.push(Buffer.from(bytes).toString());
      expect(chunks.join('|')).toBe('\u0001c|\u0002def');
      const heard = new Promise((resolve) => {
        line.onEvent((kind, body) => {
          const status = body as { dealId: string; phase: string };
          if (kind === 'job.changed' && status.dealId === dealId && status.phase === 'submitted') resolve(status);
        });
      });
      finishes(process);
      expect(await heard).toMatchObject({ phase: 'submitted', exitCode: 0, resultCid: expect.stringContaining('baf') });
      await accept(terms);
    });

    test('strangers learn nothing and get nothing', async () => {
      const { terms, dealId } = await world.assign(world.spec());
      const run = await world.phase(dealId, 'submitted');
      const stranger = new Party('stranger', world.network, world.clock);
      await stranger.open();
      try {
        const line = await stranger.link.connect({
          peerKey: world.provider.peerKey,
          endpoints: world.provider.link.endpoints,
        });
        await expect(line.request('job.status', { dealId })).rejects.toMatchObject({ code: 'not-found' });
        await expect(line.request('job.begin', { dealId, secrets: {} })).rejects.toMatchObject({ code: 'not-found' });
        await expect(line.open('job.logs', { dealId, follow: false, fromByte: 0 })).rejects.toMatchObject({
          code: 'not-found',
        });
        await expect(
          fetchContent(run.resultCid ?? '', [{ peer: line }], { store: stranger.content }),
        ).rejects.toMatchObject({ code: 'not-allowed' });
        await expect(line.request('job.nonsense', {})).rejects.toMatchObject({ code: 'unsupported' });
        await expect(line.request('job.ask', { offerId: 'x' })).rejects.toMatchObject({ code: 'bad-input' });
      } finally {
        await stranger.remove();
      }
      await accept(terms);
    });
  });

  describe('what is taken', () => {
    test('what the owner, the terms or the offer forbid is declined with a reason', async () => {
      const { terms, text } = await world.terms(world.spec());
      const no = async (change: object, other = text) => (await world.ask({ ...terms, ...change }, other)).reason;
      expect(await no({ bond: 10n ** 30n })).toMatch(/bond/);
      expect(await no({ minStake: 10n ** 25n })).toMatch(/staked less/);
      expect(await no({ gpuMemoryGb: 99 })).toMatch(/less than the job needs/);
      expect(await no({ deadline: world.clock.now() + 40 })).toMatch(/deadline/);
      expect(await no({ deadline: world.clock.now() + 80 * 86_400 })).toMatch(/later than/);
      expect(await no({ window: 14 * 86_400 })).toMatch(/wait 14 d/);
      expect(await no({ assignee: world.renter.account })).toMatch(/another provider/);
      expect(await no({ renter: world.provider.account })).toMatch(/Only its renter/);
      expect(await no({ bounty: 1n })).toMatch(/the bounty pays 1/);
      expect(await no({}, `${text} `)).toMatch(/not the spec/);
      world.policy = { free: false, reason: 'A rental runs on this computer.' };
      expect(await no({})).toBe('A rental runs on this computer.');
    });

    test('stopped: nothing more is taken, and after a start it is again', async () => {
      const { terms, text } = await world.terms(world.spec());
      await world.work.stop();
      expect((await world.ask(terms, text)).reason).toBe('This computer takes no jobs now.');
      await world.work.start({ commandId: 'again', claimsOpen: false });
      const taken = await world.assign(world.spec());
      await world.phase(taken.dealId, 'submitted');
      await accept(taken.terms);
    });

    test('stake that was taken back is put there again by the next life', async () => {
      const { chain, account } = world.provider;
      const staked = async () => (await world.provider.chain.reads.stake('provider', account)).staked;
      const least = await staked();
      await world.provider.send(chain.calls.unbondStake('provider', WATT));
      await world.work.start({ commandId: 'stakes', claimsOpen: false });
      expect(await staked()).toBe(least);
      await world.provider.send(chain.calls.unbondStake('provider', WATT));
      expect(await staked()).toBe(least - WATT);
      await world.restart();
      expect(world.work.state.value.state).toBe('on');
      expect(await staked()).toBe(least);
    });

    test('a unit is kept only for who has the bounty, and not again soon for who let it pass', async () => {
      const { terms, text } = await world.terms(world.spec());
      const asked = async (change: object = {}) => {
        const { acceptance, reason } = await world.ask({ ...terms, ...change }, text);
        return acceptance ? 'yes' : reason;
      };
      expect(await asked({ token: `0x${'ab'.repeat(20)}` })).toMatch(/does not name/);
      expect(await asked({ bounty: 600n * WATT, bond: 60n * WATT })).toMatch(/not in the renter’s deposit/);
      const deadline = world.clock.now() + 3000;
      expect(await asked({ deadline })).toBe('yes');
      // Each of these would be had alone, but what the renter has was promised for the first.
      const { reads, profile } = world.renter.chain;
      const bounty =
        (await reads.vaultBalance(terms.renter, world.watt)) +
        (await reads.vaultLocked(terms.renter, world.watt, profile.contracts.jobs));
      const other = await world.terms(world.spec({ name: 'another' }), { bounty });
      expect((await world.ask(other.terms, other.text)).reason).toMatch(/not in the renter’s deposit/);
      await world.jump(61);
      const next = await world.terms(world.spec({ name: 'next' }), { deadline });
      expect((await world.ask(next.terms, next.text)).reason).toMatch(/did not use what was promised/);
      await world.jump(300);
      // The same work under new terms again and again holds the unit no longer than one.
      expect(await asked({ deadline })).toBe('yes');
      for (const salt of ['1', '2', '3'] as const) {
        await world.jump(50);
        const again = await asked({ deadline, salt: `0x${salt.repeat(64)}` });
        expect(again).toMatch(salt === '3' ? /did not use/ : /^yes$/);
      }
      await world.jump(400);
    });

    test('open jobs are claimed by itself while that is wanted', async () => {
      const post = async (bounty: bigint, change = {}) => {
        const { terms, text } = await world.terms(world.spec(change), { bounty });
        await world.renter.send(world.renter.chain.calls.postJob(terms, text));
        return { terms, dealId: world.renter.chain.calls.jobId(terms) };
      };
      // Better paid, but each needs a renter who may be gone.
      const upload = await world.renter.content.importBytes(Buffer.from('an input'));
      const left = [
        await post(3n * WATT, { secrets: ['TOKEN'] }),
        await post(3n * WATT, { inputs: [{ from: 'renter', path: 'x', cid: upload.cid, bytes: 8 }] }),
        await post(3n * WATT, { work: { type: 'wasm', module: upload.cid } }),
        await post(3n * WATT, { inputs: [{ from: 'ipfs', path: 'x', cid: upload.cid }] }),
      ];
      const first = await post(2n * WATT);
      await world.work.start({ commandId: 'claims', claimsOpen: true });
      await world.phase(first.dealId, 'submitted');
      const second = await post(WATT);
      await world.phase(second.dealId, 'submitted');
      await world.work.start({ commandId: 'no-claims', claimsOpen: false });
      for (const { terms, dealId } of left) {
        expect(await stateOf(dealId)).toBe('open');
        await world.renter.send(world.renter.chain.calls.cancelJob(terms));
      }
      await accept(first.terms);
      await accept(second.terms);
      expect((await world.phase(second.dealId, 'settled')).paid).toBe(second.terms.bounty);
    });

    test('a job that somebody else claims first is let go, the next one is had', async () => {
      const { rival, offerId } = await rivalOf();
      const { calls } = rival.chain;
      const { terms, text } = await world.terms(world.spec(), { bounty: 5n * WATT });
      await world.renter.send(calls.postJob(terms, text));
      const lost = calls.jobId(terms);
      let raced = 0;
      world.beforeSend = async ({ data }) => {
        if (data !== calls.claimJob(terms, world.offerId).data) return;
        raced += 1;
        await rival.send(calls.claimJob(terms, offerId));
      };
      try {
        await world.work.start({ commandId: 'race', claimsOpen: true });
        await expect.poll(() => raced).toBe(1);
        const next = await world.terms(world.spec());
        await world.renter.send(calls.postJob(next.terms, next.text));
        const dealId = calls.jobId(next.terms);
        await world.phase(dealId, 'submitted');
        expect(world.provider.ledger.runs.get(lost)).toBeNull();
        expect(raced).toBe(1);
        await accept(next.terms);
        await world.phase(dealId, 'settled');
      } finally {
        world.beforeSend = async () => undefined;
        await world.work.start({ commandId: 'race-over', claimsOpen: false });
        await rival.shut();
        rmSync(rival.folder, { recursive: true, force: true });
      }
    });
  });

  describe('what cannot be done', () => {
    /** Nothing is submitted; after the deadline unit and bond come back less the late fee. */
    const failsWith = async (dealId: Bytes32, reason: RegExp) => {
      const run = await world.phase(dealId, 'failed');
      expect(run.detail).toMatch(reason);
      expect(run.resultCid).toBeNull();
      expect(await stateOf(dealId)).toBe('assigned');
      await expect.poll(() => runtimes.processes.has(dealId)).toBe(false);
      return run;
    };

    test('this computer cannot start it: it fails with the reason, and is given back after the deadline', async () => {
      runtimes.startFails = new AppError('toolkit-missing', 'Docker cannot hand out the card.');
      const locked = async () =>
        world.provider.chain.reads.vaultLocked(
          world.provider.account,
          world.watt,
          world.network.profile.contracts.jobs,
        );
      // What earlier tests left is settled.
      await expect.poll(locked, { timeout: 10_000 }).toBe(0n);
      const before = await locked();
      const { terms, dealId } = await world.assign(world.spec());
      await failsWith(dealId, /hand out the card/);
      expect(await locked()).toBe(before + terms.bond);
      await world.jump(terms.deadline - world.clock.now() + 15);
      const over = await world.until(dealId, ({ settledAt }) => settledAt !== null);
      expect(over).toMatchObject({ phase: 'failed', paid: 0n, detail: 'Docker cannot hand out the card.' });
      expect(await locked()).toBe(before);
      expect(world.provider.chain.standing(world.provider.account).strikes).toBeGreaterThan(0);
    });

    /** Handed in as a run that never began: the renter pays for what it caused. */
    const blamesRenter = async ({ terms, dealId }: { terms: JobTerms; dealId: Bytes32 }): Promise<string> => {
      const run = await world.phase(dealId, 'submitted', 'failed');
      expect(run).toMatchObject({ phase: 'submitted', exitCode: null, startedAt: null });
      const { info, files } = await result(run);
      expect(info).toMatchObject({ exitCode: null, reason: 'input-failed' });
      expect([...files.keys()].toSorted()).toEqual(['logs/stderr', 'logs/stdout', 'result.json']);
      await accept(terms);
      expect((await world.phase(dealId, 'settled')).paid).toBe(terms.bounty);
      return info.detail;
    };

    test('a file that is not what its hash says, or is not there', async () => {
      const server = http.createServer((request, response) => {
        response.statusCode = request.url === '/gone' ? 404 : 200;
        response.end('something else');
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const of = (name: string) =>
        world.spec({ inputs: [{ from: 'url', path: 'x', url: `${base}/${name}`, sha256: '0'.repeat(64) }] });
      try {
        expect(await blamesRenter(await world.assign(of('file')))).toMatch(/input x cannot be had: .*SHA-256/);
        expect(await blamesRenter(await world.assign(of('gone')))).toMatch(/input x cannot be had: .*no file/);
      } finally {
        server.close();
      }
    });

    test('an image or a module that nobody could start', async () => {
      for (const [code, field] of [
        ['image-missing', 'spec.image'],
        ['bad-input', 'work.module'],
      ] as const) {
        runtimes.startFails = new AppError(code, 'It cannot be started.', { field });
        expect(await blamesRenter(await world.assign(world.spec()))).toMatch(/cannot be started/);
      }
    });

    test('inputs and secrets that the renter does not hand out are waited for most of the time', async () => {
      const mine = await world.renter.content.importBytes(Buffer.from('kept back'));
      const kept = await world.assign(world.spec({ inputs: [{ from: 'renter', path: 'x', cid: mine.cid, bytes: 9 }] }));
      const silent = await world.assign(world.spec({ secrets: ['TOKEN'] }));
      await world.until(kept.dealId, ({ detail }) => detail.startsWith('Waits:'));
      await world.until(silent.dealId, ({ detail }) => detail.includes('secrets'));
      await world.jump(400);
      expect(world.provider.ledger.runs.get(kept.dealId)?.phase).toBe('fetching');
      await world.jump(100);
      expect(await blamesRenter(kept)).toMatch(/inputs could not be had in time/);
      expect(await blamesRenter(silent)).toMatch(/did not send the secrets/);
    });

    test('however late the deadline is, no input is waited for longer than the job explains', async () => {
      const mine = await world.renter.content.importBytes(Buffer.from('never handed out'));
      const spec = world.spec({
        inputs: [{ from: 'renter', path: 'x', cid: mine.cid, bytes: 16 }],
        timeouts: { queueSeconds: 20 * 86_400, runSeconds: 60 },
      });
      const far = await world.assign(spec, { deadline: world.clock.now() + 20 * 86_400 });
      await world.until(far.dealId, ({ detail }) => detail.startsWith('Waits:'));
      await world.jump(7000);
      expect(world.provider.ledger.runs.get(far.dealId)?.phase).toBe('fetching');
      await world.jump(300);
      expect(await blamesRenter(far)).toMatch(/inputs could not be had in time/);
    });

    test('a run that was lost is no result: it is run again, and where there is no time it fails', async () => {
      const lose = (process: FakeProcess) =>
        process.exit(0, { exitCode: null, reason: 'lost', detail: 'It was ended from outside.' });
      const starts = runtimes.starts;
      runtimes.onStart = (process) => {
        runtimes.onStart = finishes;
        lose(process);
      };
      const again = await world.assign(world.spec());
      const run = await world.phase(again.dealId, 'submitted', 'failed');
      expect(runtimes.starts).toBe(starts + 2);
      expect((await result(run)).info).toMatchObject({ exitCode: 0, reason: 'exited' });
      await accept(again.terms);

      const held = running();
      const late = await world.assign(world.spec());
      const process = await held;
      await world.phase(late.dealId, 'running');
      await world.jump(late.terms.deadline - world.clock.now() - 30);
      lose(process);
      await failsWith(late.dealId, /no time to run it again/);

      // Its own code, or a kill: believed once.
      runtimes.onStart = (killed) => killed.exit(137, { reason: 'lost' });
      const twice = await world.assign(world.spec());
      const before = runtimes.starts;
      expect((await result(await world.phase(twice.dealId, 'submitted', 'failed'))).info).toMatchObject({
        exitCode: 137,
        reason: 'exited',
      });
      expect(runtimes.starts - before).toBeLessThanOrEqual(2);
      await accept(twice.terms);
    });

    test('the owner stops it; and the deadline stops what still runs', async () => {
      const held = running();
      const stopped = await world.assign(world.spec());
      await held;
      await world.phase(stopped.dealId, 'running');
      await world.work.stopRun(stopped.dealId, 'The owner needs the computer.');
      await failsWith(stopped.dealId, /owner needs/);
      await expect(world.work.stopRun(stopped.dealId, 'again')).rejects.toMatchObject({ code: 'conflict' });
      const busy = running();
      const ended = await world.assign(world.spec());
      const process = await busy;
      await world.phase(ended.dealId, 'running');
      await world.work.endAll('The owner stopped sharing.');
      expect(process.checkpoints).toBe(1);
      expect(runtimes.processes.has(ended.dealId)).toBe(false);
      expect(world.work.active()).toEqual([]);
      await failsWith(ended.dealId, /stopped sharing/);
      const second = running();
      const late = await world.assign(world.spec());
      await second;
      await world.phase(late.dealId, 'running');
      await world.jump(late.terms.deadline - world.clock.now() + 1);
      await failsWith(late.dealId, /deadline passed/);
    });
  });

  describe('the host dies', () => {
    for (const phase of ['assigned', 'fetching', 'preparing', 'running', 'packing', 'submitting'] as const) {
      test(`at "${phase}": another life finishes it, once`, async () => {
        const starts = runtimes.starts;
        const killed = world.killedAt(phase);
        const { terms, dealId } = await world.assign(world.spec());
        await killed;
        await world.restart();
        const run = await world.phase(dealId, 'submitted');
        expect(runtimes.starts).toBe(starts + 1);
        expect((await result(run)).files.get('out/answer.txt')).toBe('42');
        await accept(terms);
        expect((await world.phase(dealId, 'settled')).paid).toBe(terms.bounty);
        await expect.poll(() => runtimes.processes.has(dealId)).toBe(false);
      });
    }

    test('while the work runs: it is taken up, and ends while nobody looks', async () => {
      const held = running();
      const { terms, dealId } = await world.assign(world.spec());
      const process = await held;
      await world.phase(dealId, 'running');
      await world.restart();
      expect(world.work.active().map((run) => run.dealId)).toContain(dealId);
      await world.die();
      finishes(process);
      await world.startAgain();
      await world.phase(dealId, 'submitted');
      await accept(terms);
      await world.phase(dealId, 'settled');
    });

    test('and what ran is lost: it is run again', async () => {
      const held = running();
      const { terms, dealId } = await world.assign(world.spec());
      await held;
      await world.phase(dealId, 'running');
      await world.die();
      await runtimes.remove(dealId);
      const starts = runtimes.starts;
      runtimes.onStart = finishes;
      await world.startAgain();
      await world.phase(dealId, 'submitted');
      expect(runtimes.starts).toBe(starts + 1);
      await accept(terms);
      await world.phase(dealId, 'settled');
    });

    test('before the work is over and after it was paid for: nothing is done twice', async () => {
      const { terms, dealId } = await world.assign(world.spec());
      await world.phase(dealId, 'submitted');
      await world.die();
      await accept(terms);
      await world.startAgain();
      expect((await world.phase(dealId, 'settled')).paid).toBe(terms.bounty);
    });

    test('what belongs to no job is left alone, what a job left is cleared away', async () => {
      const { terms, dealId } = await world.assign(world.spec());
      await world.phase(dealId, 'submitted');
      await accept(terms);
      await world.phase(dealId, 'settled');
      await world.die();
      const plan = { dealId, inputs: scratch } as never;
      await runtimes.start(plan);
      await runtimes.start({ ...(plan as object), dealId: ZeroHash } as never);
      const runs = path.join(world.provider.folder, 'runs');
      for (const name of ['accounts.json', `0x${'ab'.repeat(20)}`, dealId]) {
        await mkdir(path.join(runs, name), { recursive: true });
      }
      await world.startAgain();
      expect((await readdir(runs)).toSorted()).toEqual([`0x${'ab'.repeat(20)}`, 'accounts.json']);
      expect([...runtimes.processes.keys()]).toEqual([ZeroHash]);
      await runtimes.remove(ZeroHash as Bytes32);
    });

    test('with an engine that comes up later than the host, what a job left goes then', async () => {
      const { terms, dealId } = await world.assign(world.spec());
      await world.phase(dealId, 'submitted');
      await accept(terms);
      await world.phase(dealId, 'settled');
      await world.die();
      await runtimes.start({ dealId, inputs: scratch } as never);
      runtimes.isDown = true;
      await world.startAgain();
      expect([...runtimes.processes.keys()]).toEqual([dealId]);
      runtimes.comeBack();
      await expect.poll(() => runtimes.processes.size).toBe(0);
    });

    test('content that a run had fetched is let go also where the host dies between its failure and clearing away', async () => {
      const mine = await world.renter.content.importBytes(Buffer.from('fetched for a run that failed'));
      const { account } = world.renter;
      world.shared.add(mine.cid);
      const pinsOf = () => world.provider.content.stat(mine.cid)?.pins;
      runtimes.startFails = new AppError('disk-full', 'No room.');
      const died = world.killedAt('failed');
      const input = { from: 'renter', path: 'x', cid: mine.cid, bytes: 29 };
      const { dealId } = await world.assign(world.spec({ inputs: [input] }));
      await died;
      await world.provider.shut();
      await world.provider.open();
      await world.provider.content.pin(mine.cid, `run:${dealId}`);
      // Somebody else's reason to keep it is not ours to judge.
      await world.provider.content.pin(mine.cid, `task:${account}`);
      await world.provider.shut();
      await world.startAgain();
      expect(world.provider.ledger.runs.get(dealId)?.phase).toBe('failed');
      expect(pinsOf()).toEqual([`task:${account}`]);
      runtimes.startFails = null;
      const { terms, dealId: paid } = await world.assign(world.spec());
      const { resultCid } = await world.phase(paid, 'submitted');
      await world.restart();
      expect(world.provider.content.stat(resultCid ?? '')?.pins).toContain(`run:${paid}`);
      await accept(terms);
      await world.phase(paid, 'settled');
    });
  });

  describe('copies', () => {
    test('committed, shown once all have committed, concluded, each paid its share; a death in between', async () => {
      const { rival, offerId } = await rivalOf();
      const { calls } = rival.chain;
      // A result that no other job has shown.
      runtimes.onStart = (process) => {
        process.files.set('copy.txt', crypto.randomUUID());
        finishes(process);
      };
      const spec = world.spec({ verification: { tier: 'redundancy', copies: 2, agree: 2 } });
      const { terms, dealId } = await world.assign(spec, { bounty: 3n * WATT + 1n });
      const run = await world.phase(dealId, 'submitted');
      const jobId = calls.jobId(terms);
      expect(dealId).toBe(calls.copyId(jobId, world.provider.account));
      expect(run.salt).not.toBeNull();
      // Nobody can copy what nobody can see, the renter (who may work for the other) included.
      expect(await world.request('job.status', { dealId })).toMatchObject({ phase: 'submitted', resultCid: null });
      await expect(result(run)).rejects.toMatchObject({ code: 'not-allowed' });
      const resultId = cidToBytes32(run.resultCid ?? '');
      await rival.send(calls.claimJob(terms, offerId));
      await world.die();
      await rival.send(calls.submitJob(terms, offerId, calls.commitmentOf(jobId, rival.account, resultId, SALT)));
      await world.startAgain();
      await world.phase(dealId, 'revealing');
      await rival.send(calls.revealJob(terms, offerId, resultId, SALT));
      // Whichever's turn it is: the other one, played by hand, never concludes.
      const phaseLater = async () => {
        await world.jump(25);
        return world.provider.ledger.runs.get(dealId)?.phase;
      };
      await expect.poll(phaseLater, { interval: 300, timeout: 15_000 }).toBe('settled');
      const settled = await world.phase(dealId, 'settled');
      expect(settled.paid).toBe((3n * WATT + 1n) / 2n);
      expect((await result(run)).files.get('out/answer.txt')).toBe('42');
      await rival.send(calls.collectJob(terms, offerId));
      await rival.shut();
      rmSync(rival.folder, { recursive: true, force: true });
    });

    test('what honest runs differ in is not in the folder: no logs, no details', async () => {
      const spec = world.spec({ verification: { tier: 'redundancy', copies: 2, agree: 2 } });
      const cidOf = async (detail: string) => {
        runtimes.onStart = (process) => {
          process.files.set('answer.txt', '42');
          process.say(1, `at ${crypto.randomUUID()}\n`);
          process.exit(3, { detail });
        };
        const { dealId } = await world.assign(spec);
        return (await world.phase(dealId, 'submitted')).resultCid ?? '';
      };
      const cid = await cidOf('container 0a1b at 12:00:01 exited');
      expect(await cidOf('container 2c3d at 12:00:09 exited')).toBe(cid);
      const store = world.provider.content;
      const files: string[] = [];
      for await (const { path: name, kind } of store.entries(cid)) if (kind === 'file') files.push(name);
      expect(files).toEqual(['out/answer.txt', 'result.json']);
      const parts: Uint8Array[] = [];
      for await (const part of store.read(cid, 'result.json')) parts.push(part);
      const info = resultInfoSchema.parse(JSON.parse(Buffer.concat(parts).toString()));
      expect(info).toEqual({ version: 1, exitCode: 3, reason: 'exited', detail: '' });

      // One that could not begin says so in the same words everywhere.
      const failures: string[] = [];
      for (const words of ['No such image at registry a.', 'No such image at registry b.']) {
        runtimes.startFails = new AppError('image-missing', words, { field: 'spec.image' });
        const { dealId } = await world.assign(spec);
        const run = await world.phase(dealId, 'submitted');
        expect(run.detail).not.toBe('');
        failures.push(run.resultCid ?? '');
      }
      expect(failures[1]).toBe(failures[0]);
    });

    test('alone with its result it is not paid, and gets its bond back', async () => {
      const spec = world.spec({ verification: { tier: 'redundancy', copies: 2, agree: 2 } });
      const { terms, dealId } = await world.assign(spec);
      await world.phase(dealId, 'submitted');
      await world.jump(terms.deadline - world.clock.now() + 1);
      await world.phase(dealId, 'revealing');
      const over = await world.until(dealId, ({ settledAt }) => settledAt !== null);
      expect(over).toMatchObject({ phase: 'failed', paid: 0n });
      expect(over.detail).toMatch(/enough copies/);
    });
  });

  test('the engine is lost and comes back: the run goes on as it is', async () => {
    const held = running();
    const { terms, dealId } = await world.assign(world.spec());
    const process = await held;
    await world.phase(dealId, 'running');
    runtimes.lose();
    await world.until(dealId, ({ detail }) => detail.startsWith('Waits:'));
    runtimes.isDown = false;
    finishes(process);
    await world.phase(dealId, 'submitted');
    await accept(terms);
    expect((await world.phase(dealId, 'settled')).exitCode).toBe(0);
  });
});
