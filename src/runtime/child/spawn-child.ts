import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { sibling } from '../../shared/sibling.ts';
import { RUN_FILES } from './run-folder.ts';

/** Memory of the thread that watches; the work's own is counted beside it. */
const OWN_HEAP_MB = 96;

/** What the process may read besides its own folder: this program and its packages. */
function programFolders(): string[] {
  const here = fileURLToPath(new URL('.', import.meta.url));
  // Beside the bundle in dist/host stand the packages that it leaves outside.
  if (import.meta.url.endsWith('.js')) return [here, path.join(here, '..', '..', 'node_modules/')];
  const root = path.join(here, '..', '..', '..');
  return [path.join(root, 'src/'), path.join(root, 'node_modules/'), path.join(root, 'package.json')];
}

/**
 * Starts the process of a run: with nothing of this one's environment, nothing of its open files, and no way to the disk but
 * to the run's own folder. It goes on when this one dies.
 */
export function spawnChild(folder: string): ChildProcess {
  // Node's permissions are a second wall around what WebAssembly fences already; Electron's Node has none.
  const fenced = process.versions['electron'] === undefined;
  const allow = (what: 'read' | 'write', name: string): string => `--allow-fs-${what}=${name}`;
  const permissions = [
    '--permission',
    '--allow-worker',
    // A thread could widen them, but no stranger's JavaScript runs there.
    '--disable-warning=PERM0006',
    ...[...programFolders(), folder, path.join(folder, '*'), '/proc/self/stat'].map((name) => allow('read', name)),
    allow('write', folder),
    allow('write', path.join(folder, '*')),
  ];
  const args = [
    `--max-old-space-size=${OWN_HEAP_MB}`,
    ...(fenced ? permissions : []),
    fileURLToPath(sibling(import.meta.url, 'job-child')),
    folder,
  ];
  // Inside the desktop app the executable is Electron's; the variable makes it plain Node. Windows cannot do without its root.
  const root = process.env['SystemRoot'];
  const env = { ELECTRON_RUN_AS_NODE: '1', ...(root === undefined ? {} : { SystemRoot: root }) };
  const trouble = openSync(path.join(folder, RUN_FILES.trouble), 'a', 0o600);
  try {
    const child = spawn(process.execPath, args, {
      cwd: path.dirname(folder),
      env,
      detached: true,
      stdio: ['ignore', 'ignore', trouble],
      windowsHide: true,
    });
    child.unref();
    return child;
  } finally {
    closeSync(trouble);
  }
}
