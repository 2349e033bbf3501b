/** The desktop app's host process, spoken to as the shell speaks to it: ports handed over, a heartbeat, an honest end. */
import { EventEmitter, once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { MessageChannel, type MessagePort as NodePort } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectMessagePort } from '../../src/api/client.ts';
import type { HostToShell, ShellToHost } from '../../src/api/shell-messages.ts';
import { runHost, type RunOptions } from '../../src/host/run-host.ts';
import { runForShell, type ShellPort } from '../../src/host/shell-link.ts';
import { AppError } from '../../src/shared/errors.ts';
import { createFakeHost } from './fake-services.ts';

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(path.join(tmpdir(), 'commonwatt-shell-'));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

function startUnderShell(run: typeof runHost = runFake) {
  const events = new EventEmitter();
  const said: HostToShell[] = [];
  const heard = new EventEmitter();
  const shell: ShellPort = {
    on: (event, listener) => events.on(event, listener),
    postMessage(message) {
      said.push(message);
      heard.emit(message.type, message);
    },
  };
  const exit = runForShell(shell, { dataDir, network: 'practice', port: 0 }, run);
  const tell = (data: ShellToHost, ports: NodePort[] = []) => events.emit('message', { data, ports });
  const open = () => {
    const { port1, port2 } = new MessageChannel();
    tell({ type: 'connect' }, [port1]);
    return connectMessagePort(port2 as unknown as MessagePort);
  };
  return { said, heard, exit, tell, open };
}

const runFake = (options: RunOptions) =>
  runHost({
    ...options,
    create({ onShutdown, dataDir: dir }) {
      const { services, stopped } = createFakeHost({ dataDir: dir });
      void stopped.then(onShutdown);
      return Promise.resolve({ services, close: () => Promise.resolve() });
    },
  });

test('a window that asks early is answered once the host is ready, and stop ends it', async () => {
  const { heard, exit, tell, open } = startUnderShell();
  const window = open();
  expect((await window.client.system.status()).dataDir).toBe(dataDir);
  await once(heard, 'heartbeat');
  tell({ type: 'stop' });
  expect(await exit).toBe(0);
  window.close();
});

test('a host that runs already is attached to; when it ends this process ends too, to be started anew', async () => {
  const running = await runFake({ dataDir, network: 'practice', port: 0 });
  const { heard, exit, open } = startUnderShell();
  await once(heard, 'ready');
  const window = open();
  expect((await window.client.system.status()).network.name).toBe('practice');
  const events = await window.client.system.watch();
  expect((await events.next()).done).toBe(false);
  await running.close();
  expect(await exit).toBe(1);
  window.close();
});

const refuse = () => Promise.reject(new AppError('disk-full', 'The disk is full.', { next: 'Free some space.' }));

test('what happens is told to the shell, what happened while it started first, each once and cut to a length', async () => {
  const notification = (id: string, title: string, ago = 0) => ({
    id,
    at: Math.floor(Date.now() / 1000) - ago,
    level: 'success' as const,
    title,
    body: 'b'.repeat(5000),
    rentalId: null,
    taskId: 'task-1',
  });
  const { said, heard, exit, tell } = startUnderShell((options) =>
    runHost({
      ...options,
      create({ dataDir: dir }) {
        const { services } = createFakeHost({ dataDir: dir });
        const early = notification('1', 'while it started', -1);
        const system = {
          ...services.system,
          notifications: () => [early, notification('0', 'yesterday', 86_400)],
          async *watchNotifications() {
            yield await Promise.resolve(early);
            yield notification('2', 'later');
          },
        };
        return Promise.resolve({ services: { ...services, system }, close: () => Promise.resolve() });
      },
    }),
  );
  const told = () => said.filter((message) => message.type === 'notice');
  while (told().length < 2) await once(heard, 'notice');
  tell({ type: 'stop' });
  expect(await exit).toBe(0);
  expect(told().map(({ title }) => title)).toEqual(['while it started', 'later']);
  expect(told()[0]).toMatchObject({ level: 'success', rentalId: null, taskId: 'task-1', body: 'b'.repeat(2000) });
});

test('what cannot run says so in one sentence', async () => {
  const { said, exit } = startUnderShell(refuse);
  expect(await exit).toBe(1);
  expect(said).toContainEqual({ type: 'fatal', message: 'The disk is full.', next: 'Free some space.' });
});

test('secrets are asked of the shell, and a refusal is an error', async () => {
  const answers: unknown[] = [];
  const { heard, exit, tell } = startUnderShell(async (options) => {
    // Once the shell below listens.
    await new Promise((resolve) => setImmediate(resolve));
    answers.push(await options.secrets?.seal('words'));
    answers.push(await options.secrets?.open('sealed').catch((thrown: unknown) => (thrown as AppError).code));
    return runFake(options);
  });
  heard.on('seal', ({ id, text }: { id: number; text: string }) =>
    tell({ type: 'secret', id, text: `sealed ${text}` }),
  );
  heard.on('open', ({ id }: { id: number }) => tell({ type: 'secret', id, text: null }));
  await once(heard, 'ready');
  expect(answers).toEqual(['sealed words', 'unsupported']);
  tell({ type: 'stop' });
  expect(await exit).toBe(0);
});
