/**
 * Replays random histories on the contracts and on the TypeScript model: after every call the answer (the very revert data)
 * and the whole state must be equal.
 *
 *   node contracts/tools/replay.mjs [--histories 10000] [--seed 1] [--suite deals | stakes | attestations | jobs] [--keep]
 *
 * `--keep` writes how many were equal, and when, to snapshots/replays.json.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { getBytes } from 'ethers';
import { CONTRACTS, ROOT } from './compiler.mjs';
import * as attestationHistories from './attestation-histories.mjs';
import * as dealHistories from './histories.mjs';
import * as jobsHistories from './jobs-histories.mjs';
import * as stakesHistories from './stakes-histories.mjs';

const SUITES = {
  deals: { ...dealHistories, test: 'ReplayTest', perFile: 250 },
  stakes: { ...stakesHistories, test: 'StakesReplayTest', perFile: 100 },
  jobs: { ...jobsHistories, test: 'JobsReplayTest', perFile: 100 },
  attestations: { ...attestationHistories, test: 'AttestationsReplayTest', perFile: 50 },
};
const FILES_PER_RUN = 8;
const KEPT = path.join(CONTRACTS, 'snapshots/replays.json');
const forge = path.join(ROOT, 'node_modules/@foundry-rs/forge-linux-amd64/bin/forge');

const { values } = parseArgs({
  options: {
    histories: { type: 'string', default: '10000' },
    seed: { type: 'string' },
    suite: { type: 'string', default: 'deals' },
    keep: { type: 'boolean', default: false },
  },
});
const seed = Number(values.seed ?? Math.floor(Math.random() * 0xffff_ffff));
const { test: testName, perFile, makeFile, nameOf, inWords, TARGET } = SUITES[values.suite];
const files = Math.ceil(Number(values.histories) / perFile);

if (!existsSync(forge)) {
  console.log('SKIPPED replay: there is no forge binary for this system');
  process.exit(0);
}

const root = path.join(CONTRACTS, 'cache/replay', values.suite);
rmSync(root, { recursive: true, force: true });
const calls = {};
const refused = {};
const started = performance.now();

/** One history in words, up to the call that went wrong. */
const upTo = ({ ops }, last) =>
  ops
    .slice(0, last + 1)
    .map(inWords)
    .join('\n');

/** Lets the contracts run one folder of files; resolves with what is wrong, or null. */
async function runForge(dir, made) {
  const child = spawn(forge, ['test', '--match-contract', `^${testName}$`, '--json'], {
    cwd: CONTRACTS,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      PATH: `${path.dirname(process.execPath)}${path.delimiter}${process.env.PATH}`,
      REPLAY_DIR: dir,
      REPLAY_FILES: `${made.length}`,
      REPLAY_TARGET: TARGET,
    },
  });
  const [out, error] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const json = out.split('\n').find((line) => line.startsWith('{'));
  const test = json && Object.values(JSON.parse(json))[0].test_results['test_replay()'];
  if (test?.status === 'Success') return null;
  const where = /Differs\((\d+), (\d+), (\d+)/.exec(test?.reason ?? '');
  const history = where && made[Number(where[1])][Number(where[2])];
  return [test?.reason ?? `${error}${out}`.slice(-4000), history && upTo(history, Number(where[3]))].join('\n');
}

// The model writes the next files while the contracts run the last ones.
let running = Promise.resolve(null);
let wrong = null;
for (let first = 0; first < files && wrong === null; first += FILES_PER_RUN) {
  const dir = path.join(root, `${first}`);
  mkdirSync(dir, { recursive: true });
  const made = [];
  for (let file = first; file < Math.min(first + FILES_PER_RUN, files); file += 1) {
    const { histories, bytes } = makeFile(seed + file, perFile);
    writeFileSync(path.join(dir, `${file - first}.bin`), getBytes(bytes));
    made.push(histories);
    for (const op of histories.flatMap(({ ops }) => ops)) {
      calls[nameOf(op)] = (calls[nameOf(op)] ?? 0) + 1;
      const error = op.said?.split('(')[0];
      if (error) refused[error] = (refused[error] ?? 0) + 1;
    }
    // Lets the child's output through between two files.
    await new Promise((resolve) => setImmediate(resolve));
  }
  wrong = await running;
  if (wrong === null) running = runForge(dir, made);
}
wrong ??= await running;
rmSync(root, { recursive: true, force: true });
if (wrong !== null) {
  console.error(`Replay with --seed ${seed} failed: ${wrong}`);
  process.exit(1);
}
const result = {
  histories: files * perFile,
  calls: Object.values(calls).reduce((sum, n) => sum + n, 0),
  seed,
  seconds: Number(((performance.now() - started) / 1000).toFixed(1)),
};
if (values.keep) {
  const kept = existsSync(KEPT) ? JSON.parse(readFileSync(KEPT, 'utf8')) : {};
  kept[values.suite] = { date: new Date().toISOString().slice(0, 10), ...result };
  writeFileSync(KEPT, `${JSON.stringify(kept, null, 2)}\n`);
}
console.log(JSON.stringify({ ...result, byCall: calls, refused }));
