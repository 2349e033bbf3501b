import { readFileSync } from 'node:fs';
import path from 'node:path';
import { WebSocket } from 'ws';
import { connectMessagePort } from '../api/client.ts';
import { HEARTBEAT_EVERY_MS, MAX_NOTICE_TEXT, shellToHostSchema, type HostToShell } from '../api/shell-messages.ts';
import { RPC_PROTOCOL, TOKEN_PROTOCOL_PREFIX } from '../api/wire.ts';
import type { ApiClient, ApiOutputs } from '../api/contract.ts';
import { AppError, toAppError } from '../shared/errors.ts';
import { systemClock } from '../shared/time.ts';
import { readHostInfo } from './lock.ts';
import type { RunningHost, RunOptions } from './run-host.ts';
import { serveMessagePort, type EventPort, type MainPort } from './transport/message-port.ts';

/** The shell, as the host's process sees it: Electron's `process.parentPort`. */
export interface ShellPort {
  on(event: 'message', listener: (event: { data: unknown; ports: (MainPort | EventPort)[] }) => void): unknown;
  postMessage(message: HostToShell): void;
}

/** The system's secret store, which only the shell can reach: asked over the port, one answer per question. */
function shellSecrets(say: (message: HostToShell) => void) {
  const waiting = new Map<number, (text: string | null) => void>();
  let asked = 0;
  const ask = (type: 'seal' | 'open', text: string) =>
    new Promise<string>((resolve, reject) => {
      const id = ++asked;
      waiting.set(id, (answer) => {
        waiting.delete(id);
        if (answer !== null) resolve(answer);
        else reject(new AppError('unsupported', 'The system’s secret store refused.'));
      });
      say({ type, id, text });
    });
  return {
    secrets: { seal: (text: string) => ask('seal', text), open: (sealed: string) => ask('open', sealed) },
    answer: (id: number, text: string | null) => waiting.get(id)?.(text),
  };
}

interface Doors {
  serve(port: MainPort | EventPort): void;
  close(): Promise<void>;
  /** Resolves with the exit code when the process should end by itself. */
  ended: Promise<number>;
}

/** A host that runs already, `commonwatt serve` on a rig for instance: this process only passes frames on. */
function attachTo(dataDir: string, thrown: unknown): Doors {
  const error = toAppError(thrown);
  const info = readHostInfo(dataDir);
  if (error.code !== 'conflict' || error.field !== 'data-dir' || !info) throw thrown;
  const token = readFileSync(path.join(dataDir, 'token'), 'utf8').trim();
  let end!: (code: number) => void;
  const ended = new Promise<number>((resolve) => {
    end = resolve;
  });
  const sockets = new Set<WebSocket>();
  return {
    ended,
    serve(port) {
      const protocols = [RPC_PROTOCOL, `${TOKEN_PROTOCOL_PREFIX}${token}`];
      const socket = new WebSocket(`${info.url.replace(/^http/, 'ws')}/rpc`, protocols);
      sockets.add(socket);
      const early: string[] = [];
      let leaving = false;
      serveMessagePort(port, (line) => {
        socket.on('open', () => {
          for (const frame of early.splice(0)) socket.send(frame);
        });
        socket.on('message', (data) => void line.send((data as Buffer).toString('utf8')));
        socket.on('error', () => undefined);
        socket.on('close', () => {
          sockets.delete(socket);
          line.refuse('the host ended');
          // Started anew, this process becomes the host itself.
          if (!leaving) end(1);
        });
        return {
          receive(frame) {
            if (typeof frame !== 'string') return;
            if (socket.readyState === socket.OPEN) socket.send(frame);
            else if (early.length < 1000) early.push(frame);
          },
          closed() {
            leaving = true;
            socket.close();
          },
        };
      });
    },
    close() {
      for (const socket of sockets) socket.terminate();
      return Promise.resolve();
    },
  };
}

const ownDoors = (host: RunningHost): Doors => ({
  serve: (port) => serveMessagePort(port, host.rpc),
  close: () => host.close(),
  ended: host.stopAsked.then(() => 0),
});

type Notification = ApiOutputs['system']['notifications'][number];

/**
 * Tells the shell what happens, as a window of its own would hear it; what has happened since `since` (unix seconds) comes
 * first. Ends with the line.
 */
async function passNotices(client: ApiClient, since: number, say: (message: HostToShell) => void): Promise<void> {
  const pass = ({ level, title, body, rentalId, taskId }: Notification) => {
    const cut = (text: string) => text.slice(0, MAX_NOTICE_TEXT);
    say({ type: 'notice', level, title: cut(title), body: cut(body), rentalId, taskId });
  };
  const coming = await client.system.watchNotifications();
  const early = (await client.system.notifications()).filter(({ at }) => at >= since);
  for (const notice of early.toReversed()) pass(notice);
  const told = new Set(early.map(({ id }) => id));
  for await (const notice of coming) if (!told.has(notice.id)) pass(notice);
}

/**
 * Runs a host for the desktop shell and answers the ports it hands over. Resolves with the exit code once the shell, or
 * some door, has asked it to stop.
 */
export async function runForShell(
  shell: ShellPort,
  options: RunOptions,
  run: (options: RunOptions) => Promise<RunningHost>,
): Promise<number> {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- the shell has no origin
  const say = (message: HostToShell) => shell.postMessage(message);
  const { secrets, answer } = shellSecrets(say);
  const early: (MainPort | EventPort)[] = [];
  let doors: Doors | undefined;
  let askStop!: () => void;
  const stopAsked = new Promise<number>((resolve) => {
    askStop = () => resolve(0);
  });
  shell.on('message', ({ data, ports }) => {
    const message = shellToHostSchema.safeParse(data);
    if (!message.success) return;
    if (message.data.type === 'stop') askStop();
    else if (message.data.type === 'secret') answer(message.data.id, message.data.text);
    else if (doors) for (const port of ports) doors.serve(port);
    else early.push(...ports);
  });
  const since = systemClock.now();
  const { port1, port2 } = new MessageChannel();
  const beat = setInterval(() => say({ type: 'heartbeat' }), HEARTBEAT_EVERY_MS);
  try {
    doors = await run({ ...options, secrets }).then(ownDoors, (thrown: unknown) => attachTo(options.dataDir, thrown));
    for (const port of early.splice(0)) doors.serve(port);
    say({ type: 'ready' });
    doors.serve(port1);
    passNotices(connectMessagePort(port2).client, since, say).catch(() => undefined);
    const code = await Promise.race([stopAsked, doors.ended]);
    await doors.close();
    return code;
  } catch (thrown) {
    const { message, next } = toAppError(thrown);
    say({ type: 'fatal', message, ...(next === undefined ? {} : { next }) });
    return 1;
  } finally {
    clearInterval(beat);
    port2.close();
  }
}
