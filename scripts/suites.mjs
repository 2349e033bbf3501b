// The three suites behind `npm test`, each read from what its tool writes about itself:
// { passed, failed, skipped, code, troubles }, troubles being one line per test that failed or had to be tried twice.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.dirname(import.meta.dirname);
const RESULTS = path.join(ROOT, 'node_modules/.cache/results');
/** More files than this in trouble is no bad minute of the computer: they are not run again. */
const MAX_FILES_AGAIN = 6;

const unread = (code, what) => ({
  passed: 0,
  failed: 1,
  skipped: 0,
  code: code || 1,
  troubles: [`FAILED ${what}: it ended with exit code ${code} and no report`],
});

/** What a failure says first, without colours. */
const firstLines = (text) =>
  (text ?? '')
    // oxlint-disable-next-line no-control-regex
    .replaceAll(/\u001B\[[\d;]*m/g, '')
    .split('\n')
    .slice(0, 4)
    .join('\n    ')
    .slice(0, 500);

async function contracts({ node }) {
  const child = spawn(node, ['contracts/tools/test.mjs'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk) => {
    process.stdout.write(chunk);
    text += chunk;
  });
  const code = await new Promise((resolve) => child.on('close', (exit) => resolve(exit ?? 1)));
  const counts = /(\d+) passed, (\d+) failed, (\d+) skipped\s*$/.exec(text.trim());
  if (!counts) return unread(code, 'contracts');
  const [passed, failed, skipped] = counts.slice(1).map(Number);
  return { passed, failed, skipped, code, troubles: text.split('\n').filter((line) => /^FAILED\b/i.test(line)) };
}

/** One run of vitest: its exit code and the files of its report, or undefined where it wrote none. */
async function vitestOnce(tool, name, args) {
  const file = path.join(RESULTS, name);
  rmSync(file, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const code = await tool('vitest', ['run', ...reporters, ...args]);
  return { code, report: existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined };
}

/** `files` of a report, in the shape of a suite's result. A file whose set-up failed counts as one failed test. */
function readVitest(files, code, troubles) {
  const count = (...names) =>
    files.flatMap((file) => file.assertionResults).filter(({ status }) => names.includes(status)).length;
  const unnamed = files.filter((file) => file.status === 'failed' && failuresOf(file)[0]?.unnamed).length;
  return {
    passed: count('passed'),
    failed: count('failed') + unnamed,
    skipped: count('pending', 'skipped', 'todo', 'disabled'),
    code,
    troubles,
  };
}

/** What failed in one file of a report: its tests, or the file itself where it failed before any of them. */
function failuresOf(file) {
  const name = path.relative(ROOT, file.name);
  const tests = file.assertionResults.filter(({ status }) => status === 'failed');
  if (tests.length === 0 && file.status === 'failed') {
    return [{ key: name, why: firstLines(file.message), unnamed: true }];
  }
  return tests.map((test) => ({
    key: `${name} > ${test.fullName}`,
    why: firstLines(test.failureMessages.join('\n')),
    unnamed: false,
  }));
}

async function vitest({ tool, say }) {
  const first = await vitestOnce(tool, 'vitest.json', []);
  if (!first.report) return unread(first.code, 'vitest');
  const files = first.report.testResults;
  const bad = files.filter((file) => file.status === 'failed');
  const failed = bad.flatMap(failuresOf);
  if (bad.length === 0 || bad.length > MAX_FILES_AGAIN) {
    const troubles = failed.map(({ key, why }) => `FAILED ${key}\n    ${why}`);
    return readVitest(files, first.code, troubles);
  }
  say(`${bad.length} test files had failures. They run once more, alone; what fails again has failed.`);
  const names = bad.map((file) => file.name);
  const again = await vitestOnce(tool, 'vitest-again.json', ['--no-file-parallelism', ...names]);
  if (!again.report) return unread(again.code, 'vitest, running what failed once more');
  const still = again.report.testResults.flatMap(failuresOf);
  const isStill = ({ key }) => still.some((failure) => failure.key === key);
  const troubles = [
    ...failed.filter((failure) => !isStill(failure)).map(({ key, why }) => `SECOND TRY ${key}\n    at first: ${why}`),
    ...still.map(({ key, why }) => `FAILED TWICE ${key}\n    ${why}`),
  ];
  const once = files.filter((file) => !names.includes(file.name));
  return readVitest([...once, ...again.report.testResults], again.code, troubles);
}

async function browser({ tool, say }) {
  const chromium = [
    process.env['CHROMIUM_PATH'],
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome',
  ];
  if (!chromium.some((file) => file && existsSync(file))) {
    say('SKIPPED browser tests: no Chromium here (apt-get install chromium, or set CHROMIUM_PATH).');
    return { passed: 0, failed: 0, skipped: 1, code: 0, troubles: [] };
  }
  const file = path.join(RESULTS, 'playwright.json');
  rmSync(file, { force: true });
  const code = await tool('playwright', ['test', '--reporter=dot,json'], {
    env: { PLAYWRIGHT_JSON_OUTPUT_NAME: file, FORCE_COLOR: '0' },
  });
  if (!existsSync(file)) return unread(code, 'browser tests');
  const { stats, suites } = JSON.parse(readFileSync(file, 'utf8'));
  const specs = (suite) => [...(suite.specs ?? []), ...(suite.suites ?? []).flatMap(specs)];
  const troubles = suites.flatMap(specs).flatMap((spec) =>
    spec.tests.flatMap(({ status, results }) => {
      if (status !== 'unexpected' && status !== 'flaky') return [];
      const why = firstLines(results.find(({ error }) => error)?.error.message);
      return [`${status === 'flaky' ? 'SECOND TRY' : 'FAILED TWICE'} ${spec.file} > ${spec.title}\n    ${why}`];
    }),
  );
  return {
    passed: stats.expected + stats.flaky,
    failed: stats.unexpected,
    skipped: stats.skipped,
    code,
    troubles,
  };
}

/**
 * Runs everything, and says at the end what failed, by name: a log is often cut to its last lines.
 * @param tools `{ node, tool, say }` of scripts/run.mjs
 * @returns the exit code
 */
export async function testAll(tools) {
  mkdirSync(RESULTS, { recursive: true });
  const suites = [];
  for (const suite of [contracts, vitest, browser]) suites.push(await suite(tools));
  const sum = (key) => suites.reduce((total, suite) => total + suite[key], 0);
  // A suite that ends badly without naming a failed test (a file that does not load) still counts as one.
  const unnamed = suites.filter((suite) => suite.code !== 0 && suite.failed === 0).length;
  const failed = sum('failed') + unnamed;
  for (const line of suites.flatMap((suite) => suite.troubles)) console.log(line);
  console.log(`${sum('passed')} passed, ${failed} failed, ${sum('skipped')} skipped`);
  return failed > 0 ? 1 : 0;
}
