import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RentalSpec } from '../shared/rental.ts';
import { GIB, MIB } from '../shared/units.ts';
import { guardOptions, mainProcess, rentalOptions, specDigest, WAITING_COMMAND } from './create-options.ts';
import { listeningScript, stateOf } from './deal-container.ts';
import { fromEngine } from './docker-errors.ts';
import type { DealPlan } from './engine.ts';
import { guardScript, hostNetworksOf } from './guard-rules.ts';
import { publishedPorts } from './guards.ts';
import { withTag } from './images.ts';
import { engineChecks, versionNumbers } from './ready-checks.ts';

const spec: RentalSpec = { image: 'x:1', env: { A: 'b' }, ports: [8080, 22], diskBytes: GIB, internet: true };
const plan: DealPlan = {
  dealId: `0x${'ab'.repeat(32)}`,
  spec,
  limits: { cpus: 4, memoryBytes: GIB, diskBytes: 10 * GIB, pids: 100, uploadBitsPerSecond: null, gpuIds: [] },
};
const info = {
  version: '28.5.2',
  apiVersion: '1.51',
  cdi: false,
  nvidiaRuntime: true,
  runtimes: [],
  diskFreeBytes: null,
};
const image = { entrypoint: [], command: ['sh'], path: [], workingFolder: '' };
const context = { installId: 'i', guardId: 'f'.repeat(64), info, engineCpus: 2, image, storageQuota: false };

describe('a rental container', () => {
  test('gains nothing and shares nothing', () => {
    const { HostConfig: host } = rentalOptions(plan, context);
    expect(host).toMatchObject({
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges:true'],
      Privileged: false,
      IpcMode: 'private',
      CgroupnsMode: 'private',
      NetworkMode: `container:${'f'.repeat(64)}`,
    });
    for (const refused of ['NET_ADMIN', 'NET_RAW', 'SYS_ADMIN', 'SYS_PTRACE', 'MKNOD'])
      expect(host?.CapAdd).not.toContain(refused);
    expect(host?.Binds).toBeUndefined();
    expect(host?.RestartPolicy).toEqual({ Name: 'no' });
  });

  test('gets what it asks for, never more than the owner allows or the computer has', () => {
    fc.assert(
      fc.property(
        fc.option(fc.double({ min: 0.1, max: 256, noNaN: true }), { nil: undefined }),
        fc.option(fc.integer({ min: 64 * MIB, max: 1024 * GIB }), { nil: undefined }),
        (cpus, memoryBytes) => {
          const asked = {
            ...spec,
            ...(cpus === undefined ? {} : { cpus }),
            ...(memoryBytes === undefined ? {} : { memoryBytes }),
          };
          const host = rentalOptions({ ...plan, spec: asked }, context).HostConfig;
          expect(host?.NanoCpus).toBeLessThanOrEqual(2e9);
          expect(host?.Memory).toBeLessThanOrEqual(GIB);
          expect(host?.MemorySwap).toBe(host?.Memory);
        },
      ),
    );
  });

  test.for(['NVIDIA_VISIBLE_DEVICES', 'nvidia_x', 'LD_PRELOAD', 'LD_DEBUG'])('%s is refused', (name) => {
    expect(() => rentalOptions({ ...plan, spec: { ...spec, env: { [name]: '1' } } }, context)).toThrow(
      expect.objectContaining({ code: 'bad-input', field: `spec.env.${name}` }),
    );
  });

  test('cards by uuid: through CDI where the engine has it, else through the runtime; none otherwise', () => {
    const id = 'GPU-12345678-1234-1234-1234-123456789012';
    const withCard = { ...plan, limits: { ...plan.limits, gpuIds: [id] } };
    expect(rentalOptions(withCard, context).HostConfig?.DeviceRequests).toEqual([
      { Driver: 'nvidia', DeviceIDs: [id], Capabilities: [['gpu', 'compute', 'utility']] },
    ]);
    expect(rentalOptions(withCard, { ...context, info: { ...info, cdi: true } }).HostConfig?.DeviceRequests).toEqual([
      { Driver: 'cdi', DeviceIDs: [`nvidia.com/gpu=${id}`] },
    ]);
    expect(rentalOptions(plan, context).HostConfig?.DeviceRequests).toBeUndefined();
    expect(rentalOptions(plan, context).Env).toContain('NVIDIA_VISIBLE_DEVICES=void');
    expect(() => rentalOptions({ ...plan, limits: { ...plan.limits, gpuIds: ['all'] } }, context)).toThrow(
      expect.objectContaining({ code: 'unsupported' }),
    );
  });

  test.for([
    [{ entrypoint: [], command: [] }, WAITING_COMMAND],
    [{ entrypoint: [], command: ['/bin/bash'] }, WAITING_COMMAND],
    [{ entrypoint: ['/opt/entry.sh'], command: ['bash'] }, WAITING_COMMAND],
    [{ entrypoint: [], command: ['python3'] }, WAITING_COMMAND],
    [{ entrypoint: [], command: ['python3', 'serve.py'] }, ['python3', 'serve.py']],
    [{ entrypoint: ['/entry'], command: ['postgres'] }, ['/entry', 'postgres']],
  ] as const)('main process of %j', ([defaults, expected]) => {
    expect(mainProcess(spec, { ...defaults, path: [], workingFolder: '' })).toEqual(expected);
    expect(mainProcess({ ...spec, command: ['mine', 'a'] }, { ...defaults, path: [], workingFolder: '' })).toEqual([
      'mine',
      'a',
    ]);
  });

  test('the digest of a spec does not depend on the order of its members', () => {
    expect(specDigest({ ...spec })).toBe(
      specDigest(Object.fromEntries(Object.entries(spec).toReversed()) as unknown as RentalSpec),
    );
    expect(specDigest({ ...spec, internet: false })).not.toBe(specDigest(spec));
  });
});

const v4 = (address: string, cidr: string | null, internal = false) => ({
  family: 'IPv4',
  address,
  cidr,
  internal,
});

describe('the guard', () => {
  const rules = {
    gateway: '172.18.0.1',
    hostNetworks: ['192.0.2.2/24', '8.8.0.0/16'],
    ports: [8080],
    internet: true,
    uploadBitsPerSecond: null,
  };

  test('has one capability and listens on this computer only', () => {
    const options = guardOptions({ installId: 'i', name: 'n', network: 'net', ports: 2, script: '' });
    expect(options.HostConfig).toMatchObject({ CapDrop: ['ALL'], CapAdd: ['NET_ADMIN'], ReadonlyRootfs: true });
    expect(options.HostConfig?.PortBindings).toEqual({
      '61000/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }],
      '61001/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }],
    });
  });

  test('refuses before it accepts, and ends without internet in a refusal', () => {
    const lines = guardScript(rules).split('\n');
    const open = lines.indexOf('-A OUTPUT -j ACCEPT');
    for (const range of [
      '172.18.0.1/32',
      '8.8.0.0/16',
      '10.0.0.0/8',
      '169.254.0.0/16',
      '100.64.0.0/10',
      '192.168.0.0/16',
      '224.0.0.0/4',
    ]) {
      const at = lines.findIndex((line) => line.startsWith(`-A OUTPUT -d ${range} -j REJECT`));
      expect(at).toBeGreaterThan(0);
      expect(at).toBeLessThan(open);
    }
    expect(guardScript({ ...rules, internet: false })).not.toContain('-A OUTPUT -j ACCEPT');
    expect(guardScript({ ...rules, internet: false })).toContain(
      '-A INPUT -s 172.18.0.1/32 -p tcp --dport 8080 -j ACCEPT',
    );
  });

  test('lets no text into the script that is not an address or a number', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        fc.pre(!/^[\d./]+$/.test(text));
        expect(() => guardScript({ ...rules, gateway: text })).toThrow('Not an IPv4 network');
        expect(() => guardScript({ ...rules, hostNetworks: [text] })).toThrow('Not an IPv4 network');
      }),
    );
    expect(() => guardScript({ ...rules, ports: [1.5] })).toThrow('Not between');
    expect(() => guardScript({ ...rules, ports: [70_000] })).toThrow('Not between');
  });

  test('networks of this computer', () => {
    expect(
      hostNetworksOf({
        lo: [v4('127.0.0.1', '127.0.0.1/8', true)],
        eth0: [v4('5.6.7.8', '5.6.7.8/24'), { family: 'IPv6', address: '::1', cidr: null, internal: false }],
        tun: [v4('9.9.9.8', '9.9.9.8/0')],
      }),
    ).toEqual(['5.6.7.8/24', '9.9.9.8/32']);
  });

  test('published ports in the order of the spec', () => {
    expect([
      ...publishedPorts({ '61000/tcp': [{ HostPort: '40001' }], '61001/tcp': [{ HostPort: '40002' }] }, [8080, 22]),
    ]).toEqual([
      [8080, 40_001],
      [22, 40_002],
    ]);
    expect(publishedPorts({ '61000/tcp': null }, [80]).size).toBe(0);
    expect(publishedPorts(undefined, [80]).size).toBe(0);
  });

  test('looks for listeners by their port in hexadecimal', () => {
    expect(listeningScript([8080, 22])).toContain('*:1F90|*:0016)');
  });
});

const http = (statusCode: number, message: string) =>
  Object.assign(new Error(`(HTTP code ${statusCode}) server error - ${message} `), { statusCode });

describe('what the engine says', () => {
  test.for([
    [http(500, 'could not select device driver "nvidia" with capabilities: [[gpu]]'), 'toolkit-missing'],
    [http(500, 'CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=x'), 'toolkit-missing'],
    [http(500, 'write /var/lib/docker/tmp: no space left on device'), 'disk-full'],
    [http(404, 'could not find an available, non-overlapping IPv4 address pool among the defaults to assign'), 'busy'],
    [http(404, 'No such image: x:1'), 'image-missing'],
    [new Error('manifest for x:9 not found: manifest unknown'), 'image-missing'],
    [
      http(500, 'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such host'),
      'image-missing',
    ],
    [http(400, 'invalid reference format'), 'bad-input'],
    [http(400, 'OCI runtime create failed: exec: "x": executable file not found in $PATH'), 'bad-input'],
    [http(409, 'Container abc is not running'), 'conflict'],
    [http(404, 'No such container: abc'), 'not-found'],
    [http(500, 'something new'), 'internal'],
    [Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }), 'engine-down'],
    [Object.assign(new Error('connect ENOENT'), { code: 'ENOENT' }), 'engine-down'],
    [new Error('socket hang up'), 'engine-down'],
    ['text', 'internal'],
    [null, 'internal'],
  ] as const)('%s is %s', ([thrown, code]) => {
    const error = fromEngine(thrown, 'x:1');
    expect(error.code).toBe(code);
    expect(error.message).not.toMatch(/HTTP code|undefined/);
  });

  test('states', () => {
    const raw = {
      Status: 'exited',
      ExitCode: 3,
      StartedAt: '2026-01-01T00:00:00Z',
      FinishedAt: '2026-01-01T00:00:01.5Z',
    };
    expect(stateOf(raw)).toEqual({
      status: 'exited',
      exitCode: 3,
      startedAtMs: Date.UTC(2026, 0, 1),
      finishedAtMs: Date.UTC(2026, 0, 1) + 1500,
    });
    expect(stateOf({ ...raw, Status: 'running', FinishedAt: '0001-01-01T00:00:00Z' })).toMatchObject({
      status: 'running',
      exitCode: null,
      finishedAtMs: null,
    });
    expect(stateOf({ ...raw, Status: 'dead' }).status).toBe('exited');
  });

  test('references get a tag, registries with ports are no tags', () => {
    expect(withTag('busybox')).toBe('busybox:latest');
    expect(withTag('127.0.0.1:5000/x')).toBe('127.0.0.1:5000/x:latest');
    expect(withTag('127.0.0.1:5000/x:2')).toBe('127.0.0.1:5000/x:2');
    expect(withTag('x@sha256:abc')).toBe('x@sha256:abc');
  });

  test('versions', () => {
    expect(versionNumbers('20.10.24+dfsg1')).toEqual([20, 10, 24]);
    expect(versionNumbers('library')).toBeNull();
  });
});

describe('ready checks', () => {
  const facts = {
    info: { ...info, nvidiaRuntime: false, diskFreeBytes: 100 * GIB },
    cpus: 2,
    rootDir: '/x',
    backingFilesystem: null,
    runcVersion: '1.3.3',
    memoryLimit: true,
    pidsLimit: true,
    seccomp: true,
  };
  const input = {
    facts,
    failure: null,
    socket: '/s',
    platform: 'linux' as const,
    nvidia: false,
    guardImage: 'present' as const,
  };
  const state = (changes: Partial<Parameters<typeof engineChecks>[0]>) =>
    Object.fromEntries(engineChecks({ ...input, ...changes }).map((check) => [check.id, check.state]));

  test('all is well', () => expect(new Set(Object.values(state({})))).toEqual(new Set(['ok'])));
  test('each trouble is its own, with a way out', () => {
    expect(state({ facts: null })).toEqual({ engine: 'fail' });
    expect(state({ nvidia: true })).toMatchObject({ 'gpu-toolkit': 'fail' });
    expect(state({ facts: { ...facts, info: { ...facts.info, diskFreeBytes: GIB } } })).toMatchObject({ disk: 'fail' });
    expect(state({ facts: { ...facts, runcVersion: '1.2.7' } })).toMatchObject({ 'engine-version': 'warn' });
    expect(state({ facts: { ...facts, runcVersion: '1.2.8' } })).toMatchObject({ 'engine-version': 'ok' });
    expect(state({ facts: { ...facts, memoryLimit: false } })).toMatchObject({ limits: 'fail' });
    expect(state({ guardImage: 'missing' })).toMatchObject({ 'guard-image': 'warn' });
    for (const check of engineChecks({ ...input, facts: null })) expect(check.fix?.text).toBeTruthy();
  });
});
