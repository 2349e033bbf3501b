/**
 * Mutation testing: changes one thing in a contract, in a copy of this folder, and sees whether some test fails. What
 * survives is a line that no test holds to its meaning. The mutants are drawn from the compiler's own syntax tree.
 *
 *   node contracts/tools/mutate.mjs [--each 8] [--seed 1] [--contracts Vault,Offers,Rentals] [--invariants] [--keep-score]
 *
 * Draws so many mutants of each contract, and writes score and date to snapshots/mutation.json unless `--keep-score` is
 * given. What stands there of other contracts stays.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { CONTRACTS, ROOT, compile } from './compiler.mjs';

const FILE = path.join(CONTRACTS, 'snapshots/mutation.json');
const ALL = 'Parameters,Vault,Offers,RentalMath,Rentals,Stakes,Attestations,Juries,Jobs,Record';
/** What leases run through: held by the invariants and the replayed histories too. */
const DEALS = ['Parameters', 'Vault', 'Offers', 'RentalMath', 'Rentals'];
/** What jobs run through: the replayed histories of jobs hold them too. */
const WORK = ['Jobs', 'Juries', 'Record'];
/** A mutant that loops for ever is as dead as one that fails. */
const LIMIT_MS = 300_000;

const { values } = parseArgs({
  options: {
    each: { type: 'string', default: '8' },
    seed: { type: 'string', default: '1' },
    contracts: { type: 'string', default: ALL },
    'keep-score': { type: 'boolean', default: false },
    invariants: { type: 'boolean', default: false },
  },
});
const forge = path.join(ROOT, 'node_modules/@foundry-rs/forge-linux-amd64/bin/forge');
if (!existsSync(forge)) {
  console.log('SKIPPED mutation: there is no forge binary for this system');
  process.exit(0);
}

const OTHER = {
  '<': ['<=', '>='],
  '<=': ['<', '>'],
  '>': ['>=', '<='],
  '>=': ['>', '<'],
  '==': ['!='],
  '!=': ['=='],
  '&&': ['||'],
  '||': ['&&'],
  '+': ['-'],
  '-': ['+'],
  '*': ['/'],
  '/': ['*'],
  '%': ['*'],
  '&': ['|'],
  '|': ['&'],
  '^': ['&'],
  '<<': ['>>'],
  '>>': ['<<'],
  '+=': ['-=', '='],
  '-=': ['+=', '='],
  '^=': ['|='],
  '++': ['--'],
  '--': ['++'],
};

const span = (node) => {
  const [start, length] = node.src.split(':').map(Number);
  return { start, end: start + length };
};

/** Every change that can be made to one file: where it starts and ends in bytes, and what stands there instead. */
function mutantsOf(source) {
  const bytes = Buffer.from(source);
  const cut = ({ start, end }) => bytes.subarray(start, end).toString('utf8');
  const output = compile({
    language: 'Solidity',
    sources: { file: { content: source } },
    settings: { stopAfter: 'parsing', outputSelection: { '*': { '': ['ast'] } } },
  });
  const found = [];
  const add = (kind, where, instead) => found.push({ kind, ...where, instead });
  /** The operator stands between its operands; comments there would be in the way and are nowhere used. */
  const between = (left, right, operator, kind) => {
    const gap = { start: span(left).end, end: span(right).start };
    const at = gap.start + bytes.subarray(gap.start, gap.end).indexOf(operator);
    for (const instead of OTHER[operator] ?? []) add(kind, { start: at, end: at + operator.length }, instead);
  };
  const visit = (node, inside) => {
    if (Array.isArray(node)) return node.forEach((child) => visit(child, inside));
    if (node === null || typeof node !== 'object') return;
    switch (node.nodeType) {
      case 'BinaryOperation':
        between(node.leftExpression, node.rightExpression, node.operator, 'operator');
        break;
      case 'Assignment':
        if (node.operator !== '=') between(node.leftHandSide, node.rightHandSide, node.operator, 'operator');
        break;
      case 'UnaryOperation':
        if (node.operator === '!') add('negation', span(node), `(${cut(span(node.subExpression))})`);
        else if (OTHER[node.operator])
          add('operator', span(node), cut(span(node)).replace(node.operator, OTHER[node.operator][0]));
        break;
      case 'IfStatement':
        for (const instead of ['true', 'false']) add('condition', span(node.condition), instead);
        break;
      case 'Conditional':
        add('choice', span(node), `(${cut(span(node.trueExpression))})`);
        add('choice', span(node), `(${cut(span(node.falseExpression))})`);
        break;
      case 'Literal':
        if (node.kind === 'number') add('number', span(node), `(${cut(span(node))} + 1)`);
        if (node.kind === 'bool') add('truth', span(node), cut(span(node)) === 'true' ? 'false' : 'true');
        break;
      case 'ExpressionStatement':
        add('statement', span(node), '0');
        break;
      case 'EmitStatement':
        add('event', span(node), '0');
        break;
      case 'ModifierInvocation':
        if (inside.kind === 'function') add('modifier', span(node), '');
        break;
      default:
    }
    if (node.nodeType === 'PragmaDirective' || node.nodeType === 'InlineAssembly') return;
    // A number in a type (bytes32[7]) is no behaviour; typehashes and the like are held by the vectors.
    if (/TypeName$/.test(node.nodeType ?? '')) return;
    const kind = node.nodeType === 'FunctionDefinition' ? node.kind : inside.kind;
    for (const child of Object.values(node)) visit(child, { kind });
  };
  visit(output.sources.file.ast, { kind: '' });
  return found;
}

function mulberry(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

// The copy: sources, and the tests that have to do with them.
const names = values.contracts.split(',').filter((name) => existsSync(path.join(CONTRACTS, 'src', `${name}.sol`)));
const home = path.join(ROOT, 'node_modules/.cache', `mutants-${process.pid}`);
const copy = path.join(home, 'contracts');
rmSync(home, { recursive: true, force: true });
mkdirSync(path.join(copy, 'test'), { recursive: true });
cpSync(path.join(CONTRACTS, 'tools'), path.join(copy, 'tools'), { recursive: true });
cpSync(path.join(CONTRACTS, 'test/vectors'), path.join(copy, 'test/vectors'), { recursive: true });
const config = readFileSync(path.join(CONTRACTS, 'foundry.toml'), 'utf8');
writeFileSync(path.join(copy, 'foundry.toml'), `${config}\n[lint]\nlint_on_build = false\n`);
symlinkSync(path.join(ROOT, 'node_modules'), path.join(home, 'node_modules'));
symlinkSync(path.join(ROOT, 'src'), path.join(home, 'src'));
writeFileSync(path.join(home, 'package.json'), '{"type":"module"}\n');

/** A file and what it imports from this folder: sources of which nothing here depends may be half written. */
function take(file) {
  const to = path.join(copy, file);
  if (existsSync(to)) return;
  cpSync(path.join(CONTRACTS, file), to);
  for (const [, other] of readFileSync(to, 'utf8').matchAll(/from "(\.[^"]+)"/g))
    take(path.join(path.dirname(file), other));
}
const deals = names.some((name) => DEALS.includes(name));
const work = names.some((name) => WORK.includes(name));
for (const file of readdirSync(path.join(CONTRACTS, 'test'))) {
  const about = names.some((name) => file.startsWith(name) && file.endsWith('.t.sol'));
  if (about || (work && file === 'JobsReplay.t.sol') || (deals && /^(Invariants|Replay|Rentals)\.t\.sol$/.test(file)))
    take(`test/${file}`);
}

async function run(command, args) {
  const PATH = `${path.dirname(process.execPath)}${path.delimiter}${process.env.PATH}`;
  // A few runs of the random histories: what they find they find soon, and a survivor has to sit through them all.
  const env = { ...process.env, PATH, FOUNDRY_INVARIANT_RUNS: '4' };
  const child = spawn(command, args, { cwd: copy, env, stdio: ['ignore', 'pipe', 'pipe'], timeout: LIMIT_MS });
  const closed = once(child, 'close');
  const [out, error] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { ok: (await closed)[0] === 0, out: `${out}${error}` };
}

/**
 * The cheap tests first; what outlives them meets the replayed histories. The invariants take minutes for each survivor and
 * are left out unless asked for: the score is a lower bound without them.
 */
const STAGES = [[forge, ['test', '--no-match-contract', 'Invariants|Replay', '--fuzz-runs', '64', '--fuzz-seed', '1']]];
const replay = (...args) => [process.execPath, [path.join(copy, 'tools/replay.mjs'), '--seed', '1', ...args]];
if (deals) STAGES.push(replay('--histories', '500'));
if (names.includes('Attestations')) STAGES.push(replay('--suite', 'attestations', '--histories', '50'));
if (names.includes('Stakes')) STAGES.push(replay('--suite', 'stakes', '--histories', '100'));
if (work) STAGES.push(replay('--suite', 'jobs', '--histories', '100'));
if (values.invariants) STAGES.push([forge, ['test', '--match-contract', 'Invariants', '--fuzz-seed', '1']]);

/** 'uncompilable', 'killed' or 'survived'. */
async function fate() {
  for (const [command, args] of STAGES) {
    const { ok, out } = await run(command, args);
    if (/Compiler run failed|Error \(\d+\)/.test(out)) return 'uncompilable';
    if (!ok && !/No tests (found|match)/i.test(out)) {
      lastOutput = out;
      return 'killed';
    }
  }
  return 'survived';
}
let lastOutput = '';

const sources = new Map(names.map((name) => [name, readFileSync(path.join(copy, 'src', `${name}.sol`), 'utf8')]));
const random = mulberry(Number(values.seed));
function shuffled(pool) {
  for (let i = pool.length - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    [pool[i], pool[j]] = [pool[j], pool[i]];
  }
  return pool;
}

const lineOf = (source, at) => Buffer.from(source).subarray(0, at).toString('utf8').split('\n').length;
const untouched = await fate();
if (untouched !== 'survived') {
  console.error(`The tests fail without any mutant: ${lastOutput.slice(-2000)}`);
  rmSync(home, { recursive: true, force: true });
  process.exit(1);
}

/** Changes one thing, sees what comes of it, and changes it back. */
async function tryMutant(name, { kind, start, end, instead }) {
  const source = sources.get(name);
  const bytes = Buffer.from(source);
  const file = path.join(copy, 'src', `${name}.sol`);
  writeFileSync(file, Buffer.concat([bytes.subarray(0, start), Buffer.from(instead), bytes.subarray(end)]));
  const outcome = await fate();
  writeFileSync(file, source);
  const was = bytes.subarray(start, end).toString('utf8').replaceAll(/\s+/g, ' ');
  const words = `${name}.sol:${lineOf(source, start)} ${kind}: ${was.slice(0, 80)} -> ${instead}`;
  console.error(`${outcome} ${words}`);
  return { outcome, words };
}

const known = existsSync(FILE) ? JSON.parse(readFileSync(FILE, 'utf8')) : {};
const byContract = { ...known.byContract };
let survivors = known.survivors ?? [];
const date = new Date().toISOString().slice(0, 10);

function scoreOf() {
  const all = Object.values(byContract);
  const mutants = all.reduce((sum, one) => sum + one.mutants, 0);
  const killed = all.reduce((sum, one) => sum + one.killed, 0);
  return { date, seed: Number(values.seed), mutants, killed, score: Number((killed / mutants).toFixed(3)) };
}

for (const name of names) {
  const pool = shuffled(mutantsOf(sources.get(name)));
  const own = { date, possible: pool.length, mutants: 0, killed: 0 };
  survivors = survivors.filter((words) => !words.startsWith(`${name}.sol:`));
  for (const mutant of pool) {
    if (own.mutants >= Number(values.each)) break;
    const { outcome, words } = await tryMutant(name, mutant);
    if (outcome === 'uncompilable') continue;
    own.mutants += 1;
    if (outcome === 'killed') own.killed += 1;
    else survivors.push(words);
  }
  byContract[name] = own;
  // After each contract, so that what was measured stays if the rest is cut off.
  if (!values['keep-score'])
    writeFileSync(FILE, `${JSON.stringify({ ...scoreOf(), byContract, survivors }, null, 2)}\n`);
}
rmSync(home, { recursive: true, force: true });
console.log(JSON.stringify({ ...scoreOf(), byContract, survivors }, null, 2));
