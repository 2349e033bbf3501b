/** Every wall of the house has one planted violation that the lint run must catch, and one allowed import it must not. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = path.join(import.meta.dirname, '..');

/** room -> rooms it may import, as docs and .oxlintrc.json state them. */
const MIDDLE = ['gpu', 'runtime', 'verify', 'store', 'chain', 'wallet', 'peer', 'content'];
const ARROWS: Record<string, string[]> = {
  shared: [],
  api: ['shared'],
  gpu: ['shared'],
  runtime: ['shared'],
  verify: ['shared'],
  store: ['shared'],
  chain: ['shared', 'store'],
  wallet: ['shared'],
  peer: ['shared'],
  content: ['shared', 'peer'],
  provider: ['shared', ...MIDDLE],
  renter: ['shared', ...MIDDLE],
  trust: ['shared', ...MIDDLE],
};
const ROOMS = [...Object.keys(ARROWS), 'host'];

interface Planted {
  file: string;
  specifier: string;
  allowed: boolean;
}

const plan: Planted[] = [];
const plant = (folder: string, specifier: string, allowed: boolean) => {
  plan.push({ file: `${folder}/planted-${plan.length}.ts`, specifier, allowed });
};
for (const [room, may] of Object.entries(ARROWS)) {
  for (const other of ROOMS.filter((name) => name !== room))
    plant(`src/${room}`, `../${other}/some.ts`, may.includes(other));
  plant(`src/${room}`, '../../electron/main.ts', false);
  plant(`src/${room}`, '../../renderer/main.ts', false);
  plant(`src/${room}`, 'electron', false);
  plant(`src/${room}/deeper`, '../../host/some.ts', false);
}
for (const room of ROOMS.filter((name) => name !== 'host')) plant('src/host', `../${room}/some.ts`, true);
plant('src/host', 'electron', false);
plant('src/host', '../../electron/main.ts', false);
for (const pure of ['shared', 'api']) {
  plant(`src/${pure}`, 'node:fs', false);
  plant(`src/${pure}`, 'better-sqlite3', false);
}
for (const room of ROOMS) {
  const open = room === 'api' || room === 'shared';
  plant('renderer/screens', `../../src/${room}/some.ts`, open);
  plant('electron', `../src/${room}/some.ts`, open);
}
plant('renderer', 'node:fs', false);
plant('renderer', 'electron', false);
plant('renderer', 'better-sqlite3', false);
plant('electron', '../renderer/main.ts', false);

describe('walls', () => {
  let dir = '';
  const caught = new Map<string, string[]>();

  beforeAll(async () => {
    dir = await mkdtemp(path.join(os.tmpdir(), 'commonwatt-walls-'));
    const config = JSON.parse(await readFile(path.join(root, '.oxlintrc.json'), 'utf8')) as Record<string, unknown>;
    // The arrows need no types, and the planted files import what does not exist.
    await writeFile(path.join(dir, '.oxlintrc.json'), JSON.stringify({ ...config, options: {}, $schema: undefined }));
    const write = async (file: string, text: string) => {
      await mkdir(path.dirname(path.join(dir, file)), { recursive: true });
      await writeFile(path.join(dir, file), text);
    };
    for (const { file, specifier } of plan) {
      await write(file, `import { thing } from '${specifier}';\n\nexport const again: string = thing;\n`);
    }
    await write('src/gpu/circle-a.ts', `import { b } from './circle-b.ts';\n\nexport const a = (): string => b();\n`);
    await write('src/gpu/circle-b.ts', `import { a } from './circle-a.ts';\n\nexport const b = (): string => a();\n`);
    const stdout = await new Promise<string>((resolve) => {
      const args = [path.join(root, 'node_modules/oxlint/bin/oxlint'), '--format=json', '.'];
      execFile(process.execPath, args, { cwd: dir, maxBuffer: 1 << 26 }, (_error, out) => resolve(out));
    });
    const report = JSON.parse(stdout) as { diagnostics: { filename: string; code: string }[] };
    for (const { filename, code } of report.diagnostics) {
      const file = filename.replaceAll('\\', '/');
      caught.set(file, [...(caught.get(file) ?? []), code]);
    }
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  test.each(plan)('$file importing $specifier: allowed $allowed', ({ file, allowed }) => {
    const restricted = (caught.get(file) ?? []).some((code) => code.includes('no-restricted-imports'));
    expect(restricted).toBe(!allowed);
  });

  test('a cycle is caught', () => {
    expect(caught.get('src/gpu/circle-a.ts')?.some((code) => code.includes('no-cycle'))).toBe(true);
  });
});
