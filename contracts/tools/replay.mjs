/**
 * Replays random histories on the contracts and on the TypeScript model: after every call the answer (the very revert data)
 * and the whole state must be equal.
 *
 *   node contracts/tools/replay.mjs [--histories 10000] [--seed 1]
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { getBytes } from 'ethers';
import { CONTRACTS, ROOT } from './compiler.mjs';
import { KIND_NAMES, RENTALS_ADDRESS, makeFile } from './histories.mjs';

const PER_FILE = 250;
const forge = path.join(ROOT, 'node_modules/@foundry-rs/forge-linux-amd64/bin/forge');

const { values } = parseArgs({ options: { histories: { type: 'string', default: '10000' }, seed: { type: 'string' } } });
const seed = Number(values.seed ?? Math.floor(Math.random() * 0xffff_ffff));
const files = Math.ceil(Number(values.histories) / PER_FILE);

if (!existsSync(forge)) {
  console.log('SKIPPED replay: there is no forge binary for this system');
  process.exit(0);
}

const dir = path.join(CONTRACTS, 'cache/replay');
rmSync(dir, { recursive: true, force: true });
mkdirSync(dir, { recursive: true });
const calls = {};
const reverted = {};
const all = [];
const started = performance.now();
for (let file = 0; file < files; file += 1) {
  const { histories, bytes } = makeFile(seed + file, PER_FILE);
  writeFileSync(path.join(dir, `${file}.bin`), getBytes(bytes));
  all.push(histories.map(({ ops }) => ops.map(({ kind, caller, time, a, b, value, lease, key1, key2, said }) =>
    `${time} ${KIND_NAMES[kind]} by ${caller}: lease ${lease}, a ${a}, b ${b}, value ${value}, keys ${key1} ${key2} -> ${said ?? 'ok'}`)));
  for (const { ops } of histories) {
    for (const { kind, said } of ops) {
      const name = KIND_NAMES[kind];
      calls[name] = (calls[name] ?? 0) + 1;
      if (said) reverted[said.split('(')[0]] = (reverted[said.split('(')[0]] ?? 0) + 1;
    }
  }
}
const modelSeconds = (performance.now() - started) / 1000;

const result = spawnSync(forge, ['test', '--match-contract', 'ReplayTest', '--json'], {
  cwd: CONTRACTS,
  encoding: 'utf8',
  maxBuffer: 1 << 28,
  env: {
    ...process.env,
    PATH: `${path.dirname(process.execPath)}${path.delimiter}${process.env.PATH}`,
    REPLAY_DIR: dir,
    REPLAY_FILES: `${files}`,
    REPLAY_RENTALS: RENTALS_ADDRESS,
  },
});
const json = result.stdout.split('\n').find((line) => line.startsWith('{'));
const test = json && Object.values(JSON.parse(json))[0].test_results['test_replay()'];
if (test?.status !== 'Success') {
  const where = /Differs\((\d+), (\d+), (\d+)/.exec(test?.reason ?? '');
  console.error(`Replay with --seed ${seed} failed: ${test?.reason ?? `${result.stderr}${result.stdout}`.slice(-4000)}`);
  if (where) console.error(all[Number(where[1])][Number(where[2])].slice(0, Number(where[3]) + 1).join('\n'));
  process.exit(1);
}
const total = Object.values(calls).reduce((sum, n) => sum + n, 0);
console.log(
  JSON.stringify({
    histories: files * PER_FILE,
    calls: total,
    seed,
    modelSeconds: Number(modelSeconds.toFixed(1)),
    seconds: Number(((performance.now() - started) / 1000).toFixed(1)),
    byCall: calls,
    refused: reverted,
  }),
);
