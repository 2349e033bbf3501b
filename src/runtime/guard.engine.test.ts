import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DealContainer } from './engine.ts';
import { docker, hasEngine, hasNetns, openTestEngine, planOf, readAll, sh, type TestEngine } from './engine-fixture.ts';
import { hostNetworksOf } from './guard-rules.ts';

/** A stand-in for the internet: a namespace that owns two public addresses, one of them a resolver's. Nothing leaves this machine. */
const PUBLIC = '1.2.3.4';
const RESOLVER = '1.1.1.1';
const PRIVATE = '10.213.77.2';
const NETNS = `cwnet${process.pid}`;
const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8' });

const INSIDE = `
  import { createServer } from 'node:http';
  import { createSocket } from 'node:dgram';
  const http = createServer((request, response) => {
    let bytes = 0;
    request.on('data', (chunk) => (bytes += chunk.length));
    request.on('end', () => response.end('reached ' + bytes));
  });
  const dns = createSocket('udp4');
  dns.on('message', (question, from) => {
    const name = question.subarray(12, question.indexOf(0, 12) + 5);
    const answer = question.readUInt16BE(name.length + 12 - 4) === 1 ? Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 1, 2, 3, 4]) : Buffer.alloc(0);
    const head = Buffer.from([question[0], question[1], 0x81, 0x80, 0, 1, 0, answer.length ? 1 : 0, 0, 0, 0, 0]);
    dns.send(Buffer.concat([head, name, answer]), from.port, from.address);
  });
  dns.bind(53, '${RESOLVER}', () => http.listen(80, () => process.stdout.write('up')));
`;

const get = async (deal: DealContainer, url: string): Promise<string> => {
  const { out, err } = await readAll(
    await deal.exec({ command: sh(`timeout 20 wget -q -O - ${url} || echo closed`), tty: null }),
  );
  return out.trim() === '' ? err.trim() : out.trim();
};
const gatewayOf = (deal: DealContainer): string => {
  const [raw] = JSON.parse(docker('inspect', `commonwatt-guard-${deal.dealId.slice(2)}`)) as {
    NetworkSettings: { Networks: Record<string, { Gateway: string }> };
  }[];
  return Object.values(raw?.NetworkSettings.Networks ?? {})[0]?.Gateway ?? '';
};

describe.skipIf(!hasEngine)('the guard (needs a running Docker engine)', () => {
  let it: TestEngine;
  let server: Server;
  let port = 0;
  beforeAll(async () => {
    it = openTestEngine({ ownImages: ['commonwatt/guard-as-rental:test'] });
    await it.engine.ensureSystemImages();
    server = createServer((_, response) => response.end('host reached'));
    await new Promise<void>((resolve) => {
      server.listen(0, '0.0.0.0', resolve);
    });
    port = (server.address() as { port: number }).port;
  });
  afterAll(async () => {
    server.close();
    await it.dispose();
  });

  test('this computer is closed to a rental at every address of it, and open without the guard', async () => {
    const deal = await it.engine.start(planOf({ internet: true }));
    const own = hostNetworksOf(networkInterfaces()).map((cidr) => cidr.split('/')[0] ?? '');
    const addresses = [...new Set([gatewayOf(deal), ...own])];
    expect(addresses.length).toBeGreaterThan(1);
    for (const address of addresses) {
      const url = `http://${address}:${port}/`;
      expect([address, await get(deal, url)]).toEqual([address, 'closed']);
      // The same listener from a container in the engine's usual network: the check above can fail.
      const open = await new Promise<string>((resolve, reject) => {
        const child = spawn('docker', [
          'run',
          '--rm',
          'commonwatt/practice:1',
          'timeout',
          '20',
          'wget',
          '-q',
          '-O',
          '-',
          url,
        ]);
        let text = '';
        child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
        child.on('error', reject).on('close', () => resolve(text));
      });
      expect([address, open]).toEqual([address, 'host reached']);
    }
    expect(await get(deal, 'http://169.254.169.254/latest/meta-data/')).toMatch(/closed$/);
    await deal.remove();
  });

  test('the rental cannot change the rules or send below them, not even as root', async () => {
    docker('tag', 'commonwatt/guard:1', 'commonwatt/guard-as-rental:test');
    const deal = await it.engine.start(planOf({ image: 'commonwatt/guard-as-rental:test', ports: [8080] }));
    const run = async (command: readonly string[]): Promise<number | null> =>
      (await readAll(await deal.exec({ command, tty: null }))).exit;
    expect(await run(['iptables', '-F', 'OUTPUT'])).not.toBe(0);
    expect(await run(['iptables', '-P', 'OUTPUT', 'ACCEPT'])).not.toBe(0);
    expect(await run(['tc', 'qdisc', 'del', 'dev', 'eth0', 'root'])).not.toBe(0);
    expect(
      await run(
        sh(
          'grep -q "^CapEff:.*[0-9a-f]" /proc/self/status && [ $((0x$(grep CapEff /proc/self/status | cut -c8-) & 0x3000)) = 0 ]',
        ),
      ),
    ).not.toBe(null);
    const guard = `commonwatt-guard-${deal.dealId.slice(2)}`;
    expect(docker('exec', guard, 'iptables', '-S', 'OUTPUT')).toContain('-P OUTPUT DROP');
    await deal.remove();
    docker('rmi', 'commonwatt/guard-as-rental:test');
  });

  test('a port of the spec answers on 127.0.0.1, with and without internet, and no other one does', async () => {
    for (const internet of [true, false]) {
      const deal = await it.engine.start(
        planOf({ ports: [8080], internet, command: [...sh('httpd -p 8080 -h /www; httpd -f -p 9090 -h /www')] }),
      );
      const page = await fetch(`http://127.0.0.1:${deal.ports.get(8080)}/`);
      expect(await page.text()).toContain('It works');
      const guard = `commonwatt-guard-${deal.dealId.slice(2)}`;
      const address = docker('inspect', '-f', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', guard).trim();
      await expect(fetch(`http://${address}:9090/`, { signal: AbortSignal.timeout(1500) })).rejects.toBeInstanceOf(
        Error,
      );
      const bound = docker('port', guard).trim().split('\n');
      for (const line of bound) expect(line).toContain('-> 127.0.0.1:');
      await deal.remove();
    }
  });

  test('a warm guard lets nothing pass before it is given away', async () => {
    const warm = openTestEngine();
    await warm.engine.keepWarm(1);
    const name = warm.leftovers().find((left) => left.startsWith('commonwatt-warm-')) ?? '';
    const rules = docker('exec', name, 'iptables', '-S');
    expect(rules).toContain('-P INPUT DROP');
    expect(rules).toContain('-P OUTPUT DROP');
    expect(rules).not.toMatch(/-A OUTPUT -j ACCEPT/);
    const deal = await warm.engine.start(planOf({ ports: [8080] }));
    expect(warm.leftovers()).toContain(`commonwatt-guard-${deal.dealId.slice(2)}`);
    await warm.engine.close();
    expect(await (await fetch(`http://127.0.0.1:${deal.ports.get(8080)}/`)).text()).toContain('It works');
    await warm.dispose();
  });

  describe.skipIf(!hasNetns)('towards a stand-in internet (needs root and network namespaces)', () => {
    let inside: ChildProcess;
    const host = `cw${process.pid % 100_000}a`;
    const peer = `cw${process.pid % 100_000}b`;
    beforeAll(async () => {
      ip('netns', 'add', NETNS);
      ip('link', 'add', host, 'type', 'veth', 'peer', 'name', peer);
      ip('link', 'set', peer, 'netns', NETNS);
      ip('addr', 'add', '10.213.77.1/30', 'dev', host);
      ip('link', 'set', host, 'up');
      for (const command of [
        `addr add ${PRIVATE}/30 dev ${peer}`,
        `link set ${peer} up`,
        'link set lo up',
        `addr add ${PUBLIC}/32 dev lo`,
        `addr add ${RESOLVER}/32 dev lo`,
        'route add default via 10.213.77.1',
      ]) {
        ip('-n', NETNS, ...command.split(' '));
      }
      ip('route', 'add', PUBLIC, 'via', PRIVATE);
      ip('route', 'add', RESOLVER, 'via', PRIVATE);
      inside = spawn('ip', ['netns', 'exec', NETNS, process.execPath, '--input-type=module', '-e', INSIDE], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      if (inside.stdout) await once(inside.stdout, 'data');
    });
    afterAll(() => {
      inside.kill('SIGKILL');
      ip('netns', 'del', NETNS);
    });

    test('with internet: public addresses and names, but not the private network behind', async () => {
      const deal = await it.engine.start(planOf({ internet: true }));
      expect(await get(deal, `http://${PUBLIC}/`)).toBe('reached 0');
      expect(await get(deal, 'http://somewhere.example/')).toBe('reached 0');
      expect(await get(deal, `http://${PRIVATE}/`)).toMatch(/closed$/);
      await deal.remove();
    });

    test('without internet: neither, and no questions to a name service', async () => {
      const deal = await it.engine.start(planOf({ internet: false }));
      expect(await get(deal, `http://${PUBLIC}/`)).toMatch(/closed$/);
      expect(await get(deal, 'http://somewhere.example/')).toMatch(/closed$/);
      const { out } = await readAll(
        await deal.exec({ command: sh('nslookup somewhere.example 2>&1; true'), tty: null }),
      );
      expect(out).not.toContain(PUBLIC);
      await deal.remove();
    });

    test('the upload cap holds', async () => {
      const deal = await it.engine.start(planOf({ internet: true }, { uploadBitsPerSecond: 8_000_000 }));
      const script = `dd if=/dev/zero of=/tmp/f bs=1M count=3 2>/dev/null; { printf 'POST / HTTP/1.0\\r\\nContent-Length: 3145728\\r\\n\\r\\n'; cat /tmp/f; } | nc ${PUBLIC} 80`;
      const startedMs = performance.now();
      const { out } = await readAll(await deal.exec({ command: sh(script), tty: null }));
      const seconds = (performance.now() - startedMs) / 1000;
      expect(out).toContain('reached 3145728');
      // 3 MiB at 1 MB/s; without the cap this takes a few hundredths of a second.
      expect(seconds).toBeGreaterThan(2);
      expect(seconds).toBeLessThan(10);
      await deal.remove();
    });
  });
});
