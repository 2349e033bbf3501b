/**
 * One program of a laboratory: a public DHT with a relay, a peer that answers, or one that dials. The task comes as JSON
 * in the first argument, results go out as JSON lines.
 */
import HyperDHT from 'hyperdht';
import type { Hex } from '../../shared/ids.ts';
import { startRelay } from '../relay.ts';
import { keyPairOf, refuseAll, testLink } from '../test-link.ts';

export type Task =
  /** Nodes at these public addresses, and a relay beside the last one. */
  | { run: 'public'; hosts: string[] }
  | { run: 'answer'; name: string; bootstrap: Endpoint[] | null; relays: Hex[]; tcp: boolean; silenceMs?: number }
  | { run: 'dial'; name: string; bootstrap: Endpoint[]; relays: Hex[]; peerKey: Hex; bytes: number };
interface Endpoint {
  host: string;
  port: number;
}

const say = (line: unknown) => process.stdout.write(`${JSON.stringify(line)}\n`);

async function runPublic(hosts: string[]) {
  const bootstrap: Endpoint[] = [];
  for (const host of hosts) {
    const node = new HyperDHT({ ephemeral: false, firewalled: false, bootstrap, host, port: 49_737 });
    await node.fullyBootstrapped();
    if (bootstrap.length === 0) bootstrap.push({ host, port: node.address().port });
  }
  const relay = await startRelay({ keyPair: keyPairOf('relay'), bootstrap, host: hosts.at(-1) ?? '' });
  say({ bootstrap, relays: [relay.peerKey] });
}

async function runAnswer(task: Extract<Task, { run: 'answer' }>) {
  const link = await testLink(
    task.name,
    {
      onRequest: (_, __, body) => Promise.resolve(body),
      async onStream(_, stream) {
        if (stream.kind === 'sink') return;
        for await (const bytes of stream.bytes) await stream.write(bytes);
        await stream.end();
      },
    },
    {
      bootstrap: task.bootstrap,
      relays: task.relays,
      role: 'provider',
      tcp: task.tcp ? { host: '127.0.0.1', port: 0 } : null,
    },
  );
  if (task.bootstrap) await link.whenDhtReady;
  say({ peerKey: link.peerKey, endpoints: link.endpoints });
  process.stdin.once('data', () => say({ rss: process.memoryUsage().rss }));
}

async function runDial(task: Extract<Task, { run: 'dial' }>) {
  const link = await testLink(task.name, refuseAll, { bootstrap: task.bootstrap, relays: task.relays, tcp: null });
  await link.whenDhtReady;
  const started = performance.now();
  try {
    const connection = await link.connect({ peerKey: task.peerKey });
    const connectMs = performance.now() - started;
    const stream = await connection.open('echo', null, { bulk: true });
    let received = 0;
    const reading = (async () => {
      for await (const bytes of stream.bytes) received += bytes.byteLength;
    })();
    await stream.write(Buffer.alloc(task.bytes, 7));
    await stream.end();
    await reading;
    const totalMs = performance.now() - started;
    say({ connectMs, totalMs, received, carrier: connection.carrier, relayed: connection.relayed });
  } catch (thrown) {
    say({ error: thrown, ms: performance.now() - started });
  }
  await link.close();
}

const task = JSON.parse(process.argv[2] ?? '{}') as Task;
if (task.run === 'public') await runPublic(task.hosts);
else if (task.run === 'answer') await runAnswer(task);
else await runDial(task);
