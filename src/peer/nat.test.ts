import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Hex } from '../shared/ids.ts';
import { type LabProcess, startLab } from './lab/start.ts';

const script = (name: string) => fileURLToPath(new URL(`./lab/${name}`, import.meta.url));

/** Network namespaces need root and the tools; some containers forbid them even to root. */
function canLab(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  if (!['/usr/sbin', '/sbin', '/usr/bin'].some((folder) => existsSync(`${folder}/iptables`))) return false;
  try {
    execFileSync('ip', ['netns', 'add', 'pcheck'], { stdio: 'ignore' });
    execFileSync('ip', ['netns', 'del', 'pcheck'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

interface Dialled {
  connectMs: number;
  received: number;
  relayed: boolean;
  error?: { code: string; message: string };
  ms: number;
}

describe.skipIf(!canLab())('homes behind NAT (needs root, iproute2, iptables)', () => {
  let running: LabProcess[] = [];
  const start = (...args: Parameters<typeof startLab>) => {
    const started = startLab(...args);
    running.push(started);
    return started;
  };
  const down = async () => {
    for (const each of running) await each.end();
    running = [];
    execFileSync(script('nat-down.sh'));
  };
  beforeAll(down);
  afterEach(down);

  /** Both homes with their kind of router; the provider in B, the renter in A dials it. */
  async function dial(symmetricA: boolean, symmetricB: boolean, withRelay: boolean): Promise<Dialled> {
    execFileSync(script('nat-up.sh'), [symmetricA ? '1' : '0', symmetricB ? '1' : '0'], { stdio: 'pipe' });
    const hosts = ['5.5.5.1', '5.5.5.2', '5.5.5.3', '5.5.5.4'];
    const net = await start({ run: 'public', hosts }, 'ppub').next<{
      bootstrap: { host: string; port: number }[];
      relays: Hex[];
    }>();
    const relays = withRelay ? net.relays : [];
    const { bootstrap } = net;
    const answering = start({ run: 'answer', name: 'provider', bootstrap, relays, tcp: false }, 'phostb');
    const { peerKey } = await answering.next<{ peerKey: Hex }>();
    const dialling = start({ run: 'dial', name: 'renter', bootstrap, relays, peerKey, bytes: 300_000 }, 'phosta');
    return dialling.next<Dialled>();
  }

  test('ordinary routers on both sides: direct', async () => {
    const result = await dial(false, false, true);
    expect(result).toMatchObject({ received: 300_000, relayed: false });
    expect(result.connectMs).toBeLessThan(5000);
  }, 60_000);

  test('symmetric routers on both sides, and a relay: connected through it', async () => {
    const result = await dial(true, true, true);
    expect(result).toMatchObject({ received: 300_000, relayed: true });
    expect(result.connectMs).toBeLessThan(10_000);
  }, 60_000);

  test('symmetric routers on both sides, no relay: a clear answer, soon', async () => {
    const result = await dial(true, true, false);
    expect(result.error).toMatchObject({
      code: 'peer-unreachable',
      message: expect.stringMatching(/router/) as string,
    });
    expect(result.ms).toBeLessThan(20_000);
  }, 60_000);
});
