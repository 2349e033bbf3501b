import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { readPrivateFile, sweepLeftovers, writePrivateFile } from './files.ts';
import { PASSWORD, openTestWallet, temporaryFolder } from './testing.ts';

// A thread that loads its own copy of the libraries is slow where many tests share two cores.
vi.setConfig({ testTimeout: 30_000 });

const killedBetweenWriteAndRename = async (file: string, text: string) => {
  const script = `
    import { writePrivateFile } from ${JSON.stringify(new URL('files.ts', import.meta.url).href)};
    await writePrivateFile(${JSON.stringify(file)}, ${JSON.stringify(text)}, {
      beforeRename: () => process.kill(process.pid, 'SIGKILL'),
    });`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], { stdio: 'ignore' });
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
  expect(signal).toBe('SIGKILL');
};

test.skipIf(process.platform === 'win32')('killed between write and rename, the old file stands whole', async () => {
  const dir = await temporaryFolder();
  const file = path.join(dir, 'a.json');
  await writePrivateFile(file, 'old');
  await killedBetweenWriteAndRename(file, 'new');
  expect(await readFile(file, 'utf8')).toBe('old');
  expect(await readdir(dir)).toHaveLength(2);
  await sweepLeftovers(dir);
  expect(await readdir(dir)).toEqual(['a.json']);
});

test.skipIf(process.platform === 'win32')(
  'a wallet killed while its password changed opens with the old one',
  async () => {
    const dir = await temporaryFolder();
    const first = await openTestWallet({ dir });
    await first.create({ password: PASSWORD });
    await first.close();
    await killedBetweenWriteAndRename(path.join(dir, 'keystore.json'), '{"half":');
    const wallet = await openTestWallet({ dir });
    await wallet.unlock(PASSWORD);
    expect((await readdir(dir)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  },
);

test('a failed write leaves the old file and nothing else', async () => {
  const dir = await temporaryFolder();
  const file = path.join(dir, 'a.json');
  await writePrivateFile(file, 'old');
  await expect(
    writePrivateFile(file, 'new', { beforeRename: () => Promise.reject(new Error('power cut')) }),
  ).rejects.toThrow('power cut');
  expect(await readPrivateFile(file)).toBe('old');
  expect(await readdir(dir)).toEqual(['a.json']);
});

test('sweeping touches only what we left ourselves', async () => {
  const dir = await temporaryFolder();
  await writeFile(path.join(dir, '.a.json.0123456789ab.tmp'), '');
  await writeFile(path.join(dir, 'mine.tmp'), '');
  await sweepLeftovers(dir);
  expect(await readdir(dir)).toEqual(['mine.tmp']);
  await sweepLeftovers(path.join(dir, 'missing'));
  expect(await readPrivateFile(path.join(dir, 'missing'))).toBeNull();
});
