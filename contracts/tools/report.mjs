/**
 * What is proven of the contracts, in one place: every invariant by name with the runs and depth that it held for, and the
 * line and branch coverage of contracts/src. Tools, not the sources, decide the exit status: 1 where an invariant is broken.
 *
 *   node contracts/tools/report.mjs [--no-coverage | --only-coverage] [--nightly]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { CONTRACTS, ROOT } from './compiler.mjs';

const { values } = parseArgs({
  options: {
    'no-coverage': { type: 'boolean', default: false },
    'only-coverage': { type: 'boolean', default: false },
    nightly: { type: 'boolean', default: false },
    // What `npm run contracts -- --report` passes on.
    report: { type: 'boolean', default: false },
  },
});
const forge = path.join(ROOT, 'node_modules/@foundry-rs/forge-linux-amd64/bin/forge');
if (!existsSync(forge)) {
  console.log('SKIPPED report: there is no forge binary for this system');
  process.exit(0);
}

async function runForge(cwd, ...args) {
  const env = {
    ...process.env,
    PATH: `${path.dirname(process.execPath)}${path.delimiter}${process.env.PATH}`,
    ...(values.nightly ? { FOUNDRY_PROFILE: 'nightly' } : {}),
  };
  const child = spawn(forge, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const closed = once(child, 'close');
  const [out, error] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: (await closed)[0], out, error };
}

function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  for (const row of rows)
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('  ')
        .trimEnd(),
    );
}

/** A failed one says how; a name stands once for every contract that it is held for. */
async function invariants() {
  const { out, error } = await runForge(CONTRACTS, 'test', '--json', '--match-test', '^invariant_');
  const json = out.split('\n').find((line) => line.startsWith('{'));
  if (!json) throw new Error(`${error}${out}`.slice(-2000));
  const rows = [];
  let broken = 0;
  for (const [suite, { test_results: results }] of Object.entries(JSON.parse(json))) {
    for (const [test, { status, reason, kind }] of Object.entries(results)) {
      const { runs = 0, calls = 0, reverts = 0 } = kind.Invariant ?? {};
      if (status !== 'Success') broken += 1;
      rows.push([
        test.replace('()', ''),
        suite.split(':').at(-1),
        `${runs}`,
        `${runs > 0 ? calls / runs : 0}`,
        `${reverts}`,
        status === 'Success' ? 'holds' : `BROKEN: ${reason}`,
      ]);
    }
  }
  rows.sort(([a], [b]) => a.localeCompare(b));
  table([['invariant', 'held by', 'runs', 'depth', 'reverts', ''], ...rows]);
  console.log(`\n${rows.length} invariants, ${broken} broken`);
  return broken;
}

const share = (hit, found) => (found === 0 ? '-' : `${((100 * hit) / found).toFixed(1)} % (${hit}/${found})`);

/**
 * A copy with the library inside: the parser that forge measures coverage with does not find what lies outside of the
 * project.
 */
function copyWithLibrary() {
  const home = path.join(ROOT, 'node_modules/.cache/coverage');
  rmSync(home, { recursive: true, force: true });
  for (const part of ['src', 'test', 'tools'])
    cpSync(path.join(CONTRACTS, part), path.join(home, part), { recursive: true });
  cpSync(path.join(ROOT, 'node_modules/@openzeppelin'), path.join(home, 'lib/@openzeppelin'), { recursive: true });
  const config = readFileSync(path.join(CONTRACTS, 'foundry.toml'), 'utf8');
  writeFileSync(
    path.join(home, 'foundry.toml'),
    config.replaceAll('../node_modules', 'lib').replace('lib/@open', './lib/@open'),
  );
  writeFileSync(path.join(home, 'package.json'), '{"type":"module"}\n');
  mkdirSync(path.join(home, 'cache'));
  return home;
}

/** From the lcov records of contracts/src: lines and branches, and where they were missed. */
async function coverage() {
  const home = copyWithLibrary();
  const file = path.join(home, 'cache/lcov.info');
  const { code, out, error } = await runForge(
    home,
    'coverage',
    '--report',
    'lcov',
    '--report-file',
    file,
    '--no-match-coverage',
    '(test|lib)/',
    '--no-match-contract',
    'Invariants|Replay',
    // What a line needs to be reached it meets soon.
    '--fuzz-runs',
    '256',
  );
  if (code !== 0) throw new Error(`${error}${out}`.slice(-2000));
  const rows = [];
  const missed = [];
  const total = { lines: [0, 0], branches: [0, 0] };
  for (const record of readFileSync(file, 'utf8').split('end_of_record')) {
    const name = /SF:(.*)/.exec(record)?.[1];
    if (!name?.includes('src/')) continue;
    const lines = [...record.matchAll(/^DA:(\d+),(\d+)/gm)].map(([, line, hits]) => [line, Number(hits)]);
    const branches = [...record.matchAll(/^BRDA:(\d+),\d+,\d+,(\d+|-)/gm)].map(([, line, hits]) => [
      line,
      Number(hits) || 0,
    ]);
    const hit = (all) => all.filter(([, hits]) => hits > 0).length;
    const short = path.basename(name);
    rows.push([short, share(hit(lines), lines.length), share(hit(branches), branches.length)]);
    for (const [what, all] of Object.entries({ lines, branches })) {
      total[what][0] += hit(all);
      total[what][1] += all.length;
      for (const [line, hits] of all)
        if (hits === 0) missed.push(`${short}:${line} ${what === 'lines' ? 'line' : 'branch'}`);
    }
  }
  rows.push(['total', share(...total.lines), share(...total.branches)]);
  console.log('');
  table([['source', 'lines', 'branches'], ...rows]);
  if (missed.length > 0) console.log(`\nnever reached: ${missed.join(', ')}`);
}

const broken = values['only-coverage'] ? 0 : await invariants();
if (!values['no-coverage']) await coverage();
const mutation = path.join(CONTRACTS, 'snapshots/mutation.json');
if (existsSync(mutation)) {
  const { date, mutants, killed, score, byContract } = JSON.parse(readFileSync(mutation, 'utf8'));
  console.log('');
  table([
    ['mutants of', 'killed', 'on'],
    ...Object.entries(byContract).map(([name, one]) => [name, `${one.killed} of ${one.mutants}`, one.date ?? date]),
  ]);
  console.log(`mutants: ${killed} of ${mutants} killed (${(score * 100).toFixed(1)} %), measured on ${date}`);
}
const replays = path.join(CONTRACTS, 'snapshots/replays.json');
if (existsSync(replays)) {
  console.log('');
  const rows = Object.entries(JSON.parse(readFileSync(replays, 'utf8')));
  table([
    ['histories of', 'equal on chain and model', 'calls', 'on'],
    ...rows.map(([suite, one]) => [suite, `${one.histories}`, `${one.calls}`, one.date]),
  ]);
}
process.exit(broken > 0 ? 1 : 0);
