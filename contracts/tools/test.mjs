/**
 * Every test of the contracts: unit tests, fuzz and invariants under forge, the branch specs (`.tree`), the gas
 * snapshot. The last line is `N passed, N failed, N skipped`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { CONTRACTS, ROOT } from './compiler.mjs';

const forge = path.join(ROOT, 'node_modules/@foundry-rs/forge-linux-amd64/bin/forge');
const tests = path.join(CONTRACTS, 'test');
const count = { passed: 0, failed: 0, skipped: 0 };

function report(name, outcome, detail = '') {
  count[outcome] += 1;
  if (outcome !== 'passed') console.log(`${outcome.toUpperCase()} ${name}${detail ? `: ${detail}` : ''}`);
}

/** A leaf "reverts for other caller" under "open" is the test `test_open_revertsForOtherCaller`. */
function namesInTree(text) {
  const names = [];
  let group = '';
  for (const line of text.split('\n').slice(1)) {
    const match = /^(?<indent>[│ ]*)[├└]── (?<words>.+)$/.exec(line);
    if (!match) continue;
    if (match.groups.indent === '') group = match.groups.words;
    else
      names.push(
        (group === 'always' ? 'test_' : `test_${group}_`) + match.groups.words.replaceAll(' ', '').toLowerCase(),
      );
  }
  return names;
}

/** Every branch named in a spec has its test, and every test stands in a spec. */
function checkTrees() {
  for (const file of readdirSync(tests).filter((name) => name.endsWith('.tree'))) {
    const source = readFileSync(path.join(tests, file.replace('.tree', '.t.sol')), 'utf8');
    const written = new Set([...source.matchAll(/function (test_\w+)\(/g)].map(([, name]) => name.toLowerCase()));
    const named = new Set(namesInTree(readFileSync(path.join(tests, file), 'utf8')).map((name) => name.toLowerCase()));
    const odd = [
      ...[...named].filter((name) => !written.has(name)).map((name) => `no test for ${name}`),
      ...[...written].filter((name) => !named.has(name)).map((name) => `${name} is not in the spec`),
    ];
    report(`${file} and its tests`, odd.length === 0 ? 'passed' : 'failed', odd.join('; '));
  }
}

const env = { ...process.env, PATH: `${path.dirname(process.execPath)}${path.delimiter}${process.env.PATH}` };

async function run(command, args) {
  const child = spawn(command, args, { cwd: CONTRACTS, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const closed = once(child, 'close');
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: (await closed)[0], stdout, stderr };
}

/** One forge run; its JSON names every test. */
async function runForge() {
  const started = Date.now();
  const { stdout, stderr } = await run(forge, [
    'test',
    '--json',
    '--no-match-contract',
    'ReplayTest',
    ...process.argv.slice(2),
  ]);
  const json = stdout.split('\n').find((line) => line.startsWith('{'));
  if (!json) {
    report('forge', 'failed', `${stderr}${stdout}`.trim().slice(-4000));
    return;
  }
  const invariants = [];
  for (const [suite, { test_results: results }] of Object.entries(JSON.parse(json))) {
    for (const [test, { status, reason, counterexample, kind }] of Object.entries(results)) {
      const name = `${suite.split(':').at(-1)} ${test}`;
      const outcome = status === 'Success' ? 'passed' : status === 'Skipped' ? 'skipped' : 'failed';
      report(name, outcome, [reason, counterexample && JSON.stringify(counterexample)].filter(Boolean).join(' '));
      const { runs, calls, reverts } = kind.Invariant ?? {};
      if (runs) invariants.push(`${test.replace('()', '')}: ${runs} runs, ${calls} calls, ${reverts} reverts`);
    }
  }
  for (const line of invariants.toSorted()) console.log(line);
  console.log(`forge: ${((Date.now() - started) / 1000).toFixed(0)} s`);
}

/** A tool of ours as one test. */
async function runTool(file, ...args) {
  const name = [file, ...args].join(' ');
  const started = Date.now();
  const { code, stdout, stderr } = await run(process.execPath, [path.join(CONTRACTS, 'tools', file), ...args]);
  const skipped = /^SKIPPED .*?: (.*)$/m.exec(stdout);
  if (skipped) report(name, 'skipped', skipped[1]);
  else report(name, code === 0 ? 'passed' : 'failed', stderr.trim());
  if (!skipped) console.log(`${name}: ${((Date.now() - started) / 1000).toFixed(0)} s ${stdout.trim().slice(0, 200)}`);
}

/** Random histories of each kind, drawn anew in every run; snapshots/replays.json says when 10,000 of each were equal. */
async function replayAll() {
  await runTool('replay.mjs', '--suite', 'deals', '--histories', '2000');
  await runTool('replay.mjs', '--suite', 'stakes', '--histories', '400');
  await runTool('replay.mjs', '--suite', 'jobs', '--histories', '200');
  await runTool('replay.mjs', '--suite', 'attestations', '--histories', '100');
}

async function runChecks() {
  await runTool('gas.mjs', '--check');
  await runTool('protocol-reference.mjs', '--check');
}

checkTrees();
if (existsSync(forge)) {
  // The compiler takes one core; what needs no test compiled takes another.
  const [built] = await Promise.all([run(forge, ['build']), runChecks()]);
  if (built.code !== 0) {
    report('forge build', 'failed', `${built.stderr}${built.stdout}`.trim().slice(-4000));
  } else {
    await Promise.all([runForge(), replayAll()]);
  }
} else {
  report(
    'forge tests and the replay',
    'skipped',
    'there is no forge binary for this system (@foundry-rs/forge-linux-amd64)',
  );
  await runChecks();
}
console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
process.exit(count.failed > 0 ? 1 : 0);
