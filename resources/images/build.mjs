/**
 * Makes the root file system of one of Commonwatt's two small images as a tar archive, for an engine that can reach no
 * registry: `node build.mjs guard|practice OUT.tar`.
 *
 * - guard: iptables, tc and busybox with the libraries they need, nothing else. The rules it applies are not in the
 *   image: src/runtime/guard-rules.ts sends them.
 * - practice: busybox with a web server, a shell and a demonstration, to rent and to share on the practice network.
 *
 * Files come from this computer where it has the tools installed, else from Debian packages fetched with apt into a
 * folder of their own (no root needed). The same input files give the same archive, byte for byte.
 */
import { execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { finished, pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { pathToFileURL } from 'node:url';
import { pack as tarPack } from 'tar-stream';

const run = promisify(execFile);
const exists = (file) =>
  stat(file).then(
    () => true,
    () => false,
  );

const NFT = ['usr/sbin/xtables-nft-multi', 'sbin/xtables-nft-multi', 'usr/bin/xtables-nft-multi'];
const TC = ['usr/sbin/tc', 'sbin/tc', 'usr/bin/tc'];
const BUSYBOX = ['usr/bin/busybox', 'bin/busybox'];
/** The matches and targets that guard-rules.ts uses, and those of the engine's own name service in the same tables. */
const EXTENSIONS = [
  'conntrack',
  'tcp',
  'udp',
  'icmp',
  'REJECT',
  'REDIRECT',
  'DNAT',
  'SNAT',
  'NAT',
  'standard',
  'comment',
];

const PACKAGES = {
  guard: [
    'busybox-static iptables iproute2 libc6 libxtables12 libmnl0 libnftnl11',
    'libbpf1 libelf1 libbsd0 libmd0 libcap2 zlib1g libzstd1',
  ].flatMap((line) => line.split(' ')),
  practice: ['busybox-static'],
};

/** The first of `candidates` that exists below `root`, as a path relative to it. */
async function firstOf(root, candidates) {
  for (const candidate of candidates) if (await exists(path.join(root, candidate))) return candidate;
  return null;
}

/** Whether the file is an executable that needs no loader: it has no PT_INTERP segment. */
async function isStatic(file) {
  const bytes = await readFile(file);
  if (bytes.length < 64 || bytes.readUInt32BE(0) !== 0x7f454c46 || bytes[4] !== 2) return false;
  const table = Number(bytes.readBigUInt64LE(32));
  const [size, count] = [bytes.readUInt16LE(54), bytes.readUInt16LE(56)];
  for (let i = 0; i < count; i += 1) if (bytes.readUInt32LE(table + i * size) === 3) return false;
  return true;
}

async function libraryFolders(root) {
  const folders = [];
  for (const base of ['usr/lib', 'lib', 'usr/lib64', 'lib64']) {
    const folder = path.join(root, base);
    if (!(await exists(folder))) continue;
    folders.push(folder);
    const inside = await readdir(folder, { withFileTypes: true });
    folders.push(
      ...inside.filter((entry) => entry.name.includes('-linux-gnu')).map((entry) => path.join(folder, entry.name)),
    );
  }
  return folders;
}

/** The folder of iptables' extensions, or null. */
async function extensionFolder(root) {
  for (const folder of await libraryFolders(root)) {
    const candidate = path.join(folder, 'xtables');
    if (await exists(path.join(candidate, 'libxt_conntrack.so'))) return candidate;
  }
  return null;
}

async function hasAll(root, image) {
  const busybox = await firstOf(root, BUSYBOX);
  if (busybox === null || !(await isStatic(path.join(root, busybox)))) return false;
  if (image === 'practice') return true;
  return (
    (await firstOf(root, NFT)) !== null && (await firstOf(root, TC)) !== null && (await extensionFolder(root)) !== null
  );
}

/** Debian packages, unpacked below a new folder. Works without root and without the machine's own package lists. */
async function fetchPackages(image, folder) {
  const lists = path.join(folder, 'lists');
  const debs = path.join(folder, 'debs');
  const root = path.join(folder, 'root');
  await Promise.all([lists, path.join(folder, 'cache'), debs, root].map((dir) => mkdir(dir, { recursive: true })));
  const own = [
    '-o',
    `Dir::State::Lists=${lists}`,
    '-o',
    `Dir::Cache=${path.join(folder, 'cache')}`,
    '-o',
    'APT::Sandbox::User=',
  ];
  const known = async (options) => {
    const { stdout } = await run('apt-cache', [...options, 'show', '--no-all-versions', ...PACKAGES[image]]).catch(
      (error) => error,
    );
    return new Set([...String(stdout).matchAll(/^Package: (.+)$/gm)].map((match) => match[1]));
  };
  let options = [];
  let names = await known(options);
  if (!names.has('busybox-static')) {
    options = own;
    await run('apt-get', [...own, 'update'], { maxBuffer: 1 << 24 });
    names = await known(options);
  }
  // Some libraries are named differently from one Debian release to the next; the loader says below if one is missing.
  const wanted = PACKAGES[image].filter((name) => names.has(name));
  await run('apt-get', [...options, '-o', 'APT::Sandbox::User=', 'download', ...wanted], {
    cwd: debs,
    maxBuffer: 1 << 24,
  });
  for (const deb of (await readdir(debs)).toSorted((a, b) => (a < b ? -1 : 1)))
    await run('dpkg-deb', ['-x', path.join(debs, deb), root]);
  return root;
}

/** Every library the files need, the loader included: name in the image -> file here. */
async function libraries(root, files) {
  const folders = await libraryFolders(root);
  let loader = null;
  for (const folder of folders) {
    const found = (await readdir(folder)).find((name) => /^ld-linux.*\.so\.\d$/.test(name));
    if (found && folder.endsWith('64')) loader = path.join(folder, found);
    else if (found && loader === null) loader = path.join(folder, found);
  }
  if (loader === null) throw new Error('This computer has no dynamic loader to resolve libraries with.');
  const needed = new Map();
  for (const file of files) {
    const { stdout } = await run(loader, ['--library-path', folders.join(':'), '--list', file]);
    if (stdout.includes('not found')) throw new Error(`A library of ${file} is missing:\n${stdout}`);
    for (const [, name, at] of stdout.matchAll(/^\s*(\S+) => (\/\S+)/gm)) needed.set(`lib/${path.basename(name)}`, at);
    // The loader's own line carries the path that the executables name as their interpreter.
    for (const [, at] of stdout.matchAll(/^\s*(\/\S*ld-linux\S*)(?: =>.*)? \(0x/gm))
      needed.set(`lib/${path.basename(at)}`, loader);
  }
  const interpreter = (await readFile(files[0])).toString('latin1').match(/\/lib(?:64)?\/ld-linux[\w.-]+/);
  if (interpreter) needed.set(interpreter[0].slice(1), loader);
  return needed;
}

async function applets(busybox) {
  const { stdout } = await run(busybox, ['--list']);
  return stdout.split('\n').filter((name) => name !== '' && name !== 'busybox');
}

const ACCOUNTS = {
  'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n',
  'etc/group': 'root:x:0:\nnogroup:x:65534:\n',
};

/** @returns {Promise<Map<string, {file?: string, text?: string, link?: string, mode?: number, folder?: boolean}>>} */
async function guardFiles(root) {
  const at = async (candidates) => path.join(root, await firstOf(root, candidates));
  const files = new Map();
  const nft = await at(NFT);
  const tc = await at(TC);
  const programs = [nft, tc];
  const extensionsAt = await extensionFolder(root);
  const present = new Set(await readdir(extensionsAt));
  const extensions = EXTENSIONS.flatMap((name) => [`libxt_${name}.so`, `libipt_${name}.so`]).filter((name) =>
    present.has(name),
  );
  const busybox = await at(BUSYBOX);
  files.set('bin/busybox', { file: busybox, mode: 0o755 });
  for (const name of ['sh', 'sleep', 'cat', 'true', 'kill', 'ls', 'ps', 'ip'])
    files.set(`bin/${name}`, { link: 'busybox' });
  files.set('sbin/xtables-nft-multi', { file: nft, mode: 0o755 });
  files.set('sbin/tc', { file: tc, mode: 0o755 });
  for (const name of ['iptables', 'iptables-restore', 'iptables-save']) {
    files.set(`sbin/${name}`, { link: 'xtables-nft-multi' });
  }
  // The folder is compiled into libxtables.
  const compiled = `usr/lib/${path.relative(root, extensionsAt).replace(/^(usr\/)?lib(64)?\//, '')}`;
  const inImage = /lib64/.test(extensionsAt) ? 'usr/lib64/xtables' : compiled;
  for (const name of extensions) files.set(`${inImage}/${name}`, { file: path.join(extensionsAt, name), mode: 0o644 });
  for (const [library, file] of await libraries(root, [
    ...programs,
    ...extensions.map((extension) => path.join(extensionsAt, extension)),
  ])) {
    files.set(library, { file: await realpath(file), mode: 0o755 });
  }
  for (const [name, text] of Object.entries(ACCOUNTS)) files.set(name, { text, mode: 0o644 });
  // xtables keeps its lock there; a tmpfs is mounted over it.
  for (const name of ['run', 'tmp', 'proc', 'sys', 'dev']) files.set(name, { folder: true });
  return files;
}

async function practiceFiles(root, assets) {
  const busybox = path.join(root, await firstOf(root, BUSYBOX));
  const files = new Map();
  files.set('bin/busybox', { file: busybox, mode: 0o755 });
  for (const name of await applets(busybox)) files.set(`bin/${name}`, { link: 'busybox' });
  files.set('usr/bin/commonwatt-demo', { file: path.join(assets, 'commonwatt-demo'), mode: 0o755 });
  files.set('usr/bin/env', { link: '../../bin/busybox' });
  files.set('www/index.html', { file: path.join(assets, 'index.html'), mode: 0o644 });
  for (const [name, text] of Object.entries(ACCOUNTS)) files.set(name, { text, mode: 0o644 });
  files.set('etc/profile', { text: "export PS1='\\u@\\h:\\w\\$ '\n", mode: 0o644 });
  for (const name of ['root', 'tmp', 'proc', 'sys', 'dev', 'var/log']) files.set(name, { folder: true });
  return files;
}

/** Writes the archive with folders first, sorted names, owner root and no times, so that equal inputs give equal bytes. */
async function writeTar(files, out) {
  const folders = new Set();
  for (const [name, entry] of files) {
    const parts = name.split('/');
    for (let i = 1; i < parts.length; i += 1) folders.add(parts.slice(0, i).join('/'));
    if (entry.folder) folders.add(name);
  }
  const common = { uid: 0, gid: 0, uname: 'root', gname: 'root', mtime: new Date(0) };
  const pack = tarPack();
  const written = pipeline(pack, createWriteStream(out));
  for (const name of [...folders].toSorted((a, b) => (a < b ? -1 : 1)))
    pack.entry({ ...common, name, type: 'directory', mode: name === 'tmp' ? 0o1777 : 0o755 });
  for (const [name, entry] of [...files].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (entry.folder) continue;
    if (entry.link !== undefined) {
      pack.entry({ ...common, name, type: 'symlink', linkname: entry.link, mode: 0o777 });
      continue;
    }
    const bytes = entry.text === undefined ? await readFile(entry.file) : Buffer.from(entry.text);
    await finished(pack.entry({ ...common, name, mode: entry.mode, size: bytes.length }).end(bytes), {
      readable: false,
    });
  }
  pack.finalize();
  await written;
}

/** Builds `image` into the file `out`; `from` forces where the files come from. */
export async function buildImage(image, out, { from = 'any' } = {}) {
  if (process.platform !== 'linux')
    throw new Error('System images are built on Linux only; elsewhere they are shipped or pulled.');
  const scratch = await mkdtemp(path.join(tmpdir(), 'commonwatt-image-'));
  try {
    const useInstalled = from === 'installed' || (from === 'any' && (await hasAll('/', image)));
    const root = useInstalled ? '/' : await fetchPackages(image, scratch);
    if (!(await hasAll(root, image))) throw new Error(`The packages of the ${image} image could not be found.`);
    const files = await (image === 'guard'
      ? guardFiles(root)
      : practiceFiles(root, path.join(import.meta.dirname, 'practice')));
    const partial = `${out}.${process.pid}.partial`;
    await writeTar(files, partial);
    await rename(partial, out);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [image, out, from] = process.argv.slice(2);
  if ((image !== 'guard' && image !== 'practice') || out === undefined) {
    process.stderr.write('Usage: node build.mjs guard|practice OUT.tar [installed|packages]\n');
    process.exit(2);
  }
  await buildImage(image, path.resolve(out), { from });
}
