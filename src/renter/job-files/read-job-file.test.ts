import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AppError } from '../../shared/errors.ts';
import { jobFileSchema } from '../../shared/job-spec.ts';
import { GIB, MIB } from '../../shared/units.ts';
import { readJobFile } from './read-job-file.ts';
import type { JobTextFormat, ReadJob } from './read-job-file.ts';

const sample = (name: string): string => readFileSync(new URL(`samples/${name}`, import.meta.url), 'utf8');

/** `level where` of each notice. */
const named = (read: ReadJob): string[] => read.notices.map(({ level, where }) => `${level} ${where}`);

const refusal = (text: string, options?: Parameters<typeof readJobFile>[1]): AppError => {
  try {
    readJobFile(text, options);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('was read');
};

describe('job files', () => {
  const YAML = `
work:
  type: docker
  image: busybox:1.36
  env: {RATE: 1.10, DRY: true}
bounty: 2.50
array: {SEED: [1, 007]}
inputs:
  - {path: data, upload: ./data}
`;

  test('YAML keeps numbers as they were written where texts are meant', () => {
    const { format, file, notices } = readJobFile(YAML);
    expect(format).toBe('job');
    expect(file.work).toMatchObject({ env: { RATE: '1.10', DRY: 'true' } });
    expect(file.bounty).toBe('2.50');
    expect(file.array).toEqual({ SEED: ['1', '007'] });
    expect(notices).toEqual([]);
  });

  test('JSON is read the same', () => {
    const text = '{"work": {"type": "kernel", "model": "pca"}, "bounty": "5"}';
    expect(readJobFile(text).file).toEqual(jobFileSchema.parse(JSON.parse(text)));
  });

  test('a missing bounty is said, not invented', () => {
    const read = readJobFile('work: {type: kernel, model: pca}');
    expect(read.file.bounty).toBeUndefined();
    expect(named(read)).toEqual(['changed bounty']);
  });

  test.each([
    ['work: {type: docker, image: x}\nbounty: 1\nspeed: 3', 'speed', 3],
    ['work:\n  type: docker\n  image: "a b"\nbounty: 1', 'work.image', 3],
    ['work:\n  type: docker\n  image: x\nbounty: 1\ninputs:\n- path: ../x\n  upload: a', 'inputs[0].path', 6],
    ['work:\n  type: docker\n  image: x\n  env:\n    LD_PRELOAD: x\nbounty: 1', 'work.env', 5],
    ['work:\n  type: docker\nbounty: 1', 'work.image', 2],
    ['work: {type: docker, image: x}\n\nbounty: much', 'bounty', 3],
  ])('names field and line: %j', (text, field, line) => {
    const error = refusal(text);
    expect(error).toMatchObject({ code: 'bad-input', field });
    expect(error.message).toContain(`(line ${line})`);
  });

  test('what is no YAML is refused with its line', () => {
    expect(refusal('a: 1\nb: [1').message).toContain('Line ');
    expect(refusal('a: 1\na: 2').message).toContain('Line 2');
    expect(refusal('hello').message).toBe('This is no kind of job that is known here.');
  });

  test('bombs are refused at once', () => {
    const lines = Array.from({ length: 12 }, (_, n) => `a${n}: &a${n} [${`*a${n - 1},`.repeat(9)}1]`);
    lines[0] = 'a0: &a0 [1,1,1]';
    const started = performance.now();
    expect(refusal(lines.join('\n')).code).toBe('bad-input');
    expect(refusal('['.repeat(200_000)).code).toBe('bad-input');
    expect(refusal('- '.repeat(100_000)).code).toBe('bad-input');
    expect(refusal(`a: ${'{a: '.repeat(500)}`).code).toBe('bad-input');
    expect(refusal(' '.repeat(262_145)).message).toContain('256 KiB');
    expect(performance.now() - started).toBeLessThan(3000);
  });
});

describe('docker run', () => {
  test('the published example: what can be honoured is, the rest is named', () => {
    const text = sample('docker-run.sh').replace(/^#.*\n/, '');
    const read = readJobFile(text);
    expect(read.format).toBe('docker-run');
    expect(read.file).toMatchObject({
      name: 'train',
      work: {
        type: 'docker',
        image: 'ubuntu:22.04',
        command: ['bash', '-c', 'nvidia-smi && ls /job/in/foo'],
        env: { MYVAR2: 'foo' },
      },
      resources: { gpuType: 'NVIDIA', gpuCount: 2, memoryBytes: 300 * MIB, cpus: 0.5 },
      inputs: [{ path: 'foo', upload: '/data/set' }],
      network: 'internet',
    });
    expect(named(read)).toEqual([
      'ignored -i',
      'ignored -t',
      'ignored --rm',
      'changed --gpus',
      'ignored --memory-swap',
      'refused -e',
      'refused --env-file',
      'changed --mount',
      'refused -v',
      'refused -p',
      'ignored --ulimit',
      'ignored --shm-size',
      'changed command',
      'changed limits',
      'changed bounty',
    ]);
  });

  test.each([
    ['docker run --gpus all ubuntu nvidia-smi', 1, ['changed --gpus']],
    ['podman run --device nvidia.com/gpu=all ubuntu', 1, ['changed --device']],
    ['docker run --gpus 2 ubuntu', 2, []],
    ["docker run --gpus 'count=3,capabilities=utility' ubuntu", 3, ['ignored --gpus']],
    ['docker run --runtime=nvidia ubuntu', 1, ['changed --runtime']],
    ['docker run --device /dev/kfd --device /dev/dri rocm/pytorch', 1, ['changed --device']],
    ['docker run ubuntu --gpus 2', 0, []],
  ])('cards of %j', (text, count, notices) => {
    const read = readJobFile(text);
    expect(read.file.resources.gpuCount).toBe(count);
    expect(named(read).filter((name) => !/ (command|limits|bounty)$/.test(name))).toEqual(notices);
  });

  test('switches and values in one word, an entry point, a folder', () => {
    const { file } = readJobFile(
      'docker container run -itm4g -eA=1 -e=B=2 --entrypoint python -w /app --network none img:1 train.py',
    );
    expect(file.work).toEqual({
      type: 'docker',
      image: 'img:1',
      env: { A: '1', B: '2' },
      command: ['/bin/sh', '-c', 'cd "$1" && shift && exec "$@"', 'sh', '/app', 'python', 'train.py'],
    });
    expect(file.resources.memoryBytes).toBe(4 * GIB);
    expect(file.network).toBe('none');
  });

  test('folders move only where they stand as paths', () => {
    const { file } = readJobFile(
      'docker run -v $(pwd)/d:/data:ro img run /data --in=/data/x /mnt/data /database /data2 "a:/data:b"',
    );
    expect(file.inputs).toEqual([{ path: 'data', upload: './d' }]);
    expect(file.work).toMatchObject({
      command: ['run', '/job/in/data', '--in=/job/in/data/x', '/mnt/data', '/database', '/data2', 'a:/job/in/data:b'],
    });
  });

  test.each([
    ['docker run -v /a:/b img x', 'refused -v'],
    ['docker run -v ~/a:/b:ro img x', 'refused -v'],
    ['docker run -v /a:/../b:ro img x', 'refused -v'],
    ['docker run -v cache:/b:ro img x', 'refused -v'],
    ['docker run -v /b img x', 'changed -v'],
    ['docker run --privileged img x', 'refused --privileged'],
    ['docker run --network=host img x', 'changed --network'],
    ['docker run -e NVIDIA_VISIBLE_DEVICES=all img x', 'ignored -e'],
    ['docker run -e API_KEY=1 img x', 'changed -e'],
    ['docker run -e A=$A img x', 'refused -e'],
    ['docker run -e __proto__=1 img x', 'refused -e'],
    ['docker run img x > log.txt', 'ignored > log.txt'],
    ['docker run img echo $HOME', 'changed $HOME'],
  ])('%j is named', (text, notice) => {
    expect(named(readJobFile(text))).toContain(notice);
  });

  test('values of secrets never become public or part of a message', () => {
    const read = readJobFile('docker run -e HF_TOKEN=hidden-value img x');
    expect(read.file.secrets).toEqual({ HF_TOKEN: 'hidden-value' });
    expect(JSON.stringify([read.file.work, read.notices])).not.toContain('hidden-value');
  });

  test.each([
    ['docker run', 'image'],
    ['docker run -m', '-m'],
    ['docker run -m lots img', '-m'],
    ['docker run --turbo img', '--turbo'],
    ['docker run "img', 'command'],
    ['docker run -v /a:/b:ro -v /c:/b:ro img', '-v'],
  ])('%j is refused', (text, field) => {
    expect(refusal(text)).toMatchObject({ code: 'bad-input', field });
  });
});

describe('compose', () => {
  test('one service of the published example', () => {
    const read = readJobFile(sample('compose.yaml'), { part: 'train' });
    expect(read.format).toBe('compose');
    expect(read.file).toMatchObject({
      name: 'train',
      work: {
        image: 'nvidia/cuda:12.9.0-base-ubuntu22.04',
        command: ['nvidia-smi', '--list-gpus'],
        env: { EPOCHS: '3', LEVEL: 'info' },
      },
      secrets: { SESSION_SECRET: 's3cr3t' },
      resources: { gpuType: 'NVIDIA', gpuCount: 2, cpus: 0.5, memoryBytes: 512 * MIB },
      inputs: [{ path: 'data', upload: './data' }],
      array: 6,
    });
    expect(named(read)).toEqual([
      'changed services.train.environment.LEVEL',
      'changed services.train.environment.SESSION_SECRET',
      'changed services.train.volumes[0]',
      'refused services.train.volumes[1]',
      'changed services.train.deploy.replicas',
      'ignored services.train.deploy.restart_policy',
      'ignored services.train.healthcheck',
      'ignored services.train.restart',
      'refused services.train.secrets',
      'refused services.frontend',
      'ignored volumes',
      'refused secrets',
      'changed command',
      'changed limits',
      'changed bounty',
    ]);
  });

  test('which service is asked where there are several', () => {
    expect(refusal(sample('compose.yaml'))).toMatchObject({ field: 'part', next: 'Choose one of frontend, train.' });
    expect(refusal(sample('compose.yaml'), { part: '__proto__' })).toMatchObject({ field: 'part' });
  });

  test('merge keys, a shell line, a service that has to be built', () => {
    const { file } = readJobFile(
      'x-base: &base {image: img}\nservices:\n  a:\n    <<: *base\n    command: echo $$HOME && ls\n    entrypoint: ""\n',
    );
    expect(file.work).toMatchObject({ image: 'img', command: ['/bin/sh', '-c', 'echo $HOME && ls'] });
    expect(refusal('services: {a: {build: .}}')).toMatchObject({ field: 'services.a.image' });
  });
});

describe('Nosana', () => {
  test('the first operation of the published example', () => {
    const read = readJobFile(sample('nosana.json'));
    expect(read.format).toBe('nosana');
    expect(read.file).toMatchObject({
      name: 'gpu-stats',
      work: {
        image: 'ubuntu',
        env: { DEBUG: '1' },
        command: [
          '/bin/sh',
          '-c',
          'cd "$1" && shift && exec "$@"',
          'sh',
          '/home/',
          'sh',
          '-c',
          'nvidia-smi; cat /proc/cpuinfo | grep flags | head -1;',
        ],
      },
      resources: { gpuType: 'NVIDIA', gpuCount: 1, gpuMemoryGb: 18 },
      inputs: [{ path: 'models', ipfs: 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi' }],
    });
    expect(named(read)).toEqual([
      'changed ops[1].args.cmd',
      'refused ops[1].args.resources[0]',
      'changed ops[1].args.resources[1]',
      'refused ops[1].args.volumes[0]',
      'refused ops[1].args.expose',
      'refused ops[0]',
      'refused ops[2]',
      'changed command',
      'changed global.work_dir',
      'changed limits',
      'changed bounty',
    ]);
    expect(JSON.stringify(read)).not.toContain('hidden-value');
  });

  test('another operation by its id', () => {
    const { file } = readJobFile(sample('nosana.json'), { part: 'run-from-cli-2' });
    expect(file.work).toMatchObject({
      command: expect.arrayContaining(['/home/podman', '/bin/sh', "/bin/bash -c 'echo Hello World; ls; pwd;'"]),
    });
    expect(refusal(sample('nosana.json'), { part: 'create-volume' })).toMatchObject({ field: 'part' });
  });
});

describe('Bacalhau', () => {
  test('the published Docker example', () => {
    const read = readJobFile(sample('bacalhau.json'));
    expect(read.format).toBe('bacalhau');
    expect(read.file).toMatchObject({
      name: 'Docker Job With Output',
      work: {
        image: 'ubuntu:20.04',
        env: { MY_ENV_VAR: 'myvalue' },
        command: [
          '/bin/sh',
          '-c',
          'cd "$1" && shift && exec "$@"',
          'sh',
          '/app',
          '/bin/bash',
          '-c',
          'cat /job/in/data/list > /job/out/output.txt',
        ],
      },
      inputs: [{ path: 'data', ipfs: 'QmY7Yh4UquoXHLPFo2XbhXkhBvFoPwmQUSa92pxnxjY3fZ' }],
      resources: { cpus: 0.25, memoryBytes: GIB, diskBytes: 10 * GIB, gpuCount: 2 },
      network: 'internet',
      timeouts: { runSeconds: 600 },
      priority: 60,
      array: 3,
    });
    expect(named(read)).toEqual(
      [
        'changed Tasks[0].InputSources[0]',
        'refused Tasks[0].InputSources[1]',
        'changed Tasks[0].ResultPaths[0]',
        'changed Tasks[0].Network.Type',
        'ignored Tasks[0].publisher',
        'changed Count',
        'ignored namespace',
        'refused constraints',
        'changed Tasks[0].WorkingDirectory',
        'changed bounty',
      ].map((name) => (name.endsWith('WorkingDirectory') ? 'changed Tasks[0].Engine.Params.WorkingDirectory' : name)),
    );
  });

  test('a module, in lower-case YAML', () => {
    const read = readJobFile(sample('bacalhau-wasm.yaml'));
    expect(read.file.work).toEqual({
      type: 'wasm',
      module: 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi',
      args: ['--option', 'value'],
      env: { VAR1: 'value1' },
    });
    expect(read.file.network).toBe('none');
    expect(named(read)).toContain('refused Tasks[0].Engine.Params.importmodules');
  });

  test('before version 1', () => {
    expect(refusal('{"APIVersion": "V1beta1", "Spec": {}}')).toMatchObject({ field: 'APIVersion' });
  });
});

test('Akash: the published example', () => {
  const read = readJobFile(sample('akash.yaml'));
  expect(read.format).toBe('akash');
  expect(read.file).toMatchObject({
    name: 'web',
    work: {
      image: 'nginx:1.25.3',
      command: ['/bin/sh', '-c', 'nvidia-smi && sleep 5'],
      env: { NODE_ENV: 'production', PORT: '3000' },
    },
    resources: {
      gpuType: 'NVIDIA',
      gpuModel: 'RTX 4090',
      gpuCount: 1,
      gpuMemoryGb: 24,
      cpus: 1.5,
      memoryBytes: GIB,
      diskBytes: 11 * GIB,
    },
    array: 2,
  });
  expect(named(read)).toEqual([
    'refused services.web.expose',
    'refused services.web.credentials',
    'refused profiles.compute.web.resources.storage[1]',
    'changed profiles.compute.web.resources.gpu.attributes.vendor.nvidia[0].model',
    'ignored profiles.compute.web.resources.gpu.attributes.vendor.nvidia[0].interface',
    'ignored profiles.placement.akash.pricing.web',
    'refused profiles.placement.akash.attributes',
    'changed deployment.web',
    'refused endpoints',
    'changed limits',
    'changed bounty',
  ]);
  expect(JSON.stringify(read)).not.toContain('hidden-value');
});

describe('nothing moves or vanishes without a word', () => {
  const sdl = (second: string): string => `
version: "2.0"
services: { web: { image: nginx } }
profiles:
  compute:
    web: { resources: { cpu: { units: 1 }, memory: { size: 1Gi }, storage: { size: 1Gi } } }
    large: { resources: { cpu: { units: 9 }, memory: { size: 9Gi }, storage: { size: 1Gi } } }
  placement: { west: { pricing: {} }, east: { attributes: { region: east } } }
deployment:
  web: { west: { profile: web, count: 2 }, east: { profile: ${second}, count: 20 } }
`;

  test('Akash: placements with the same hardware are one array', () => {
    const read = readJobFile(sdl('web'));
    expect(read.file.array).toBe(22);
    expect(named(read)).toContain('changed deployment.web.east');
    expect(named(read)).toContain('refused profiles.placement.east.attributes');
  });

  test('Akash: a placement with other hardware is named', () => {
    const read = readJobFile(sdl('large'));
    expect(read.file.array).toBe(2);
    expect(named(read)).toContain('refused deployment.web.east');
  });

  test('Bacalhau: paths in the words and variables of a module move', () => {
    const cid = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi';
    const source = { Type: 'ipfs', Params: { CID: cid } };
    const { file } = readJobFile(
      JSON.stringify({
        Tasks: [
          {
            Name: 'main',
            Engine: {
              Type: 'wasm',
              Params: { EntryModule: { Source: source }, Parameters: ['/inputs/list', '--out=/outputs/made'] },
            },
            Env: { FROM: '/inputs' },
            InputSources: [{ Source: source, Target: '/inputs' }],
            ResultPaths: [{ Name: 'outputs', Path: '/outputs' }],
          },
        ],
      }),
    );
    expect(file.work).toMatchObject({
      args: ['/job/in/inputs/list', '--out=/job/out/made'],
      env: { FROM: '/job/in/inputs' },
    });
  });

  test('a path in a secret moves too', () => {
    const { file } = readJobFile(
      'docker run -v ./creds:/creds:ro -e GOOGLE_APPLICATION_CREDENTIALS=/creds/key.json img run',
    );
    expect(file.secrets).toEqual({ GOOGLE_APPLICATION_CREDENTIALS: '/job/in/creds/key.json' });
  });

  test.each(['docker run --tmpfs /tmp:size=1g img x', 'services: { a: { image: img, tmpfs: /tmp } }'])(
    'what is at /tmp in %j',
    (text) => {
      const said = readJobFile(text).notices.find(({ where }) => where.includes('tmpfs'))?.message;
      expect(said).toContain("half of the job's memory");
      expect(said).not.toContain('64 MiB');
    },
  );
});

describe('hostile texts', () => {
  const FORMATS: (JobTextFormat | undefined)[] = [
    undefined,
    'job',
    'docker-run',
    'compose',
    'nosana',
    'bacalhau',
    'akash',
  ];

  /** Reads it as everything; anything thrown but an AppError fails, and so does a file the schema would not take. */
  const survives = (text: string): true => {
    for (const format of FORMATS) {
      try {
        const { file, notices } = readJobFile(text, format === undefined ? {} : { format });
        jobFileSchema.parse({ ...file, bounty: file.bounty ?? '1' });
        expect(notices.length).toBeLessThanOrEqual(200);
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        expect(error.code).toBe('bad-input');
        expect(error.message.length).toBeLessThan(1000);
      }
    }
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    return true;
  };
  const PASSED = { failed: false, counterexample: null, errorInstance: null };

  const KEYS = [
    'services',
    'image',
    'command',
    'environment',
    'volumes',
    'deploy',
    'resources',
    'reservations',
    'devices',
    'gpus',
    'ops',
    'args',
    'cmd',
    'env',
    'type',
    'id',
    'meta',
    'global',
    'expose',
    'work_dir',
    'output',
    'required_vram',
    'Tasks',
    'Engine',
    'Params',
    'Image',
    'InputSources',
    'Source',
    'Target',
    'ResultPaths',
    'Path',
    'Name',
    'Network',
    'deployment',
    'profiles',
    'compute',
    'placement',
    'storage',
    'size',
    'gpu',
    'units',
    'attributes',
    'vendor',
    'work',
    'bounty',
    'inputs',
    'array',
    'secrets',
    '__proto__',
    'constructor',
    'a',
    'web',
    'Count',
    'memory',
    'polluted',
  ];
  const key = fc.constantFrom(...KEYS);
  const leaf = fc.oneof(
    fc.constantFrom(
      'docker',
      'batch',
      'container/run',
      'img',
      '/a:/b:ro',
      '4g',
      'A=1',
      '__proto__',
      '${A:-b}',
      'ipfs',
      '',
    ),
    fc.string(),
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: 'medium' },
      leaf,
      fc.array(tie('tree'), { maxLength: 4 }),
      fc.array(fc.tuple(key, tie('tree')), { maxLength: 6 }).map((entries) => Object.fromEntries(entries)),
    ),
  }));

  test('any text', () => {
    expect(
      fc.check(
        fc.property(fc.oneof(fc.string({ maxLength: 300 }), fc.string({ unit: 'binary', maxLength: 300 })), survives),
        {
          numRuns: 400,
        },
      ),
    ).toMatchObject(PASSED);
  });

  test('any JSON of the words these formats use', () => {
    expect(
      fc.check(
        fc.property(fc.array(fc.tuple(key, tree), { maxLength: 6 }), (entries) => {
          survives(JSON.stringify(Object.fromEntries(entries)));
        }),
        { numRuns: 400 },
      ),
    ).toMatchObject(PASSED);
  });

  test('any part of a published example replaced', () => {
    const texts = ['nosana.json', 'bacalhau.json'].map(sample);
    expect(
      fc.check(
        fc.property(fc.constantFrom(...texts), fc.nat(), tree, (text, seed, value) => {
          let left = seed % 60;
          survives(
            JSON.stringify(
              JSON.parse(text, (_name, item: unknown) => {
                left -= 1;
                return left === 0 ? value : item;
              }),
            ),
          );
        }),
        { numRuns: 300 },
      ),
    ).toMatchObject(PASSED);
  });

  test('any words after docker run', () => {
    const word = fc.oneof(
      fc.constantFrom(
        '-v',
        '--gpus',
        '-e',
        '-m',
        '--mount',
        '--name',
        'img',
        '/a:/b:ro',
        '"device=0',
        '$(',
        '`',
        "'",
        '\\',
        '-it',
        '|',
      ),
      fc.string({ maxLength: 12 }),
    );
    expect(
      fc.check(
        fc.property(fc.array(word, { maxLength: 12 }), (words) => survives(`docker run ${words.join(' ')}`)),
        { numRuns: 500 },
      ),
    ).toMatchObject(PASSED);
  });

  test('long runs of one character take no time', () => {
    const started = performance.now();
    for (const char of [
      ' ',
      '\t',
      '\n',
      '$',
      '{',
      '"',
      "'",
      '\\',
      '-',
      '=',
      ':',
      ',',
      '/',
      '.',
      '*',
      '&',
      '!',
      '#',
      '0',
      'a',
      '\r',
      '?',
    ]) {
      survives(char.repeat(20_000));
      survives(`docker run -v ${char.repeat(20_000)} img ${char.repeat(3000)}`);
      survives(`services: {a: {image: img, command: "${char.repeat(20_000)}"}}`);
      survives(`services: {a: {image: img, environment: ["A=${'${A'.repeat(3000)}${char.repeat(9000)}"]}}`);
    }
    expect(performance.now() - started).toBeLessThan(20_000);
  });

  test('the prototype is no field', () => {
    const read = readJobFile(
      '{"__proto__": {"polluted": 1}, "services": {"a": {"image": "img", "environment": {"__proto__": "x"}}}}',
    );
    expect(named(read)).toContain('refused services.a.environment.__proto__');
    survives('{"__proto__": {"work": 1}, "constructor": {"prototype": {"polluted": 1}}, "ops": []}');
  });
});
