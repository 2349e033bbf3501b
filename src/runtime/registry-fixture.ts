/** A registry of images on this computer, as tests need one. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Debian's package docker-registry: `apt-get install --no-install-recommends docker-registry`. */
export const registryProgram = ['/usr/bin/docker-registry', '/usr/local/bin/docker-registry'].find((file) =>
  existsSync(file),
);

/** Waits for the program's own words that it listens, and reads the port from them. */
export async function startRegistry(folder: string): Promise<{ child: ChildProcess; port: number }> {
  const config = path.join(folder, 'config.yml');
  const data = path.join(folder, 'data');
  mkdirSync(data);
  writeFileSync(
    config,
    `version: 0.1\nlog: {level: info}\nstorage: {filesystem: {rootdirectory: ${data}}}\nhttp: {addr: 127.0.0.1:0}\n`,
  );
  const child = spawn(registryProgram ?? '', ['serve', config], { stdio: ['ignore', 'pipe', 'pipe'] });
  const port = await new Promise<number>((resolve, reject) => {
    let text = '';
    const read = (bytes: Buffer): void => {
      text += bytes.toString();
      const found = /listening on 127\.0\.0\.1:(\d+)/.exec(text);
      if (found) resolve(Number(found[1]));
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('exit', () => reject(new Error(`The registry ended: ${text}`)));
  });
  return { child, port };
}
