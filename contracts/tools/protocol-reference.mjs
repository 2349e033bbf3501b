/**
 * Writes docs/protocol-reference.md: every call, event and error of the contracts with its NatSpec, and a worked example of
 * each as it went over a chain when gas was measured.
 *
 * Fails where one has none.
 *
 *   node contracts/tools/protocol-reference.mjs            write
 *   node contracts/tools/protocol-reference.mjs --check    fail if what is committed differs
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Interface } from 'ethers';
import { CONTRACTS as PRODUCTS } from '../../src/chain/abi/deployment.ts';
import { hasAnvil } from './chain.mjs';
import { CONTRACTS, ROOT, SETTINGS, compile } from './compiler.mjs';
import { measureGas } from './gas.mjs';

const FILE = path.join(ROOT, 'docs/protocol-reference.md');
if (!hasAnvil) {
  console.log('SKIPPED protocol reference: no anvil binary for this system');
  process.exit(0);
}

const names = Object.keys(PRODUCTS).filter((name) => existsSync(path.join(CONTRACTS, 'src', `${name}.sol`)));
const sources = new Map(names.map((name) => [name, readFileSync(path.join(CONTRACTS, 'src', `${name}.sol`), 'utf8')]));
const output = compile({
  language: 'Solidity',
  sources: Object.fromEntries([...sources].map(([name, content]) => [`src/${name}.sol`, { content }])),
  settings: {
    ...SETTINGS,
    viaIR: false,
    optimizer: { enabled: false },
    outputSelection: { '*': { '*': ['userdoc', 'devdoc'] } },
  },
});

/** A decoded value as JSON, by its type: structs by name, numbers as decimal strings. */
function plain(type, value) {
  if (type.baseType === 'array') return [...value].map((one) => plain(type.arrayChildren, one));
  if (type.baseType === 'tuple') return plainAll(type.components, value);
  return typeof value === 'bigint' ? value.toString() : value;
}
function plainAll(types, values) {
  return Object.fromEntries(types.map((type, index) => [type.name || `${index}`, plain(type, values[index])]));
}
/** Long bytes are cut in print: their first and last four say enough to recognise them. */
const shortened = (text) => text.replaceAll(/0x([0-9a-f]{8})[0-9a-f]{120,}([0-9a-f]{8})/gi, '0x$1…$2');
const print = (types, values) => shortened(JSON.stringify(plainAll(types, values)));

/** Ours, and what is said of it in our sources; what OpenZeppelin brings along is documented there. */
const isOurs = (name, word) =>
  new RegExp(`(function|event|error) ${word}\\(|public (constant |immutable )*${word}\\b`).test(sources.get(name));

const nameAt = (at, address) => names.find((name) => at[name] === address.toLowerCase());
const interfaces = new Map(names.map((name) => [name, new Interface(PRODUCTS[name].abi)]));

/** By contract and signature: the first call of each, from outside or from another contract, and the first log of each event. */
const calls = new Map();
const logs = new Map();
/** The first value that was given under a name and type: what questions are asked with. */
const given = new Map();
function keep(types, values) {
  for (const [i, type] of types.entries()) {
    const name = `${type.name} ${type.format()}`;
    if (!given.has(name)) given.set(name, values[i]);
    if (type.baseType === 'tuple') keep(type.components, values[i]);
  }
}

function takeCall({ at }, { from, to, input, value }, output) {
  const target = to && nameAt(at, to);
  const parsed = target && interfaces.get(target).parseTransaction({ data: input, value });
  if (!parsed) return;
  keep(parsed.fragment.inputs, parsed.args);
  const key = `${target} ${parsed.signature}`;
  const caller = nameAt(at, from);
  const known = calls.get(key);
  // A call from outside says more than one between contracts.
  if (known && (caller || !known.caller)) return;
  const sent = BigInt(value ?? 0);
  const answer = parsed.fragment.outputs.length > 0 && output && output !== '0x' ? output : null;
  calls.set(key, { text: print(parsed.fragment.inputs, parsed.args), value: sent, caller, answer });
}

async function takeLogs({ at }, receipt) {
  for (const log of receipt.logs) {
    const emitter = nameAt(at, log.address);
    const event = emitter && interfaces.get(emitter).parseLog(log);
    if (!event) continue;
    keep(event.fragment.inputs, event.args);
    const key = `${emitter} ${event.signature}`;
    if (!logs.has(key)) logs.set(key, `\`${print(event.fragment.inputs, event.args)}\``);
  }
}

/** Asks every question that no transaction has asked, with what was said under the same name. */
async function ask({ at, provider }) {
  for (const name of names) {
    for (const fragment of interfaces.get(name).fragments) {
      if (fragment.type !== 'function' || !fragment.constant || !isOurs(name, fragment.name)) continue;
      const key = `${name} ${fragment.format('sighash')}`;
      if (calls.has(key)) continue;
      const said = fragment.inputs.map((type) => `${type.name} ${type.format()}`);
      const values = (ARGUMENTS[`${name}.${fragment.name}`] ?? said).map((one) =>
        one === FIRST ? FIRST : given.get(one),
      );
      if (values.includes(undefined)) continue;
      const data = interfaces.get(name).encodeFunctionData(fragment, values);
      const answer = await provider.call({ to: at[name], data });
      calls.set(key, { text: print(fragment.inputs, values), value: 0n, caller: undefined, answer });
    }
  }
}

/** Where the asking has another name, or none. */
const DEAL = ['dealId bytes32'];
const FIRST = 0n;
const ARGUMENTS = {
  'Attestations.candidateAt': ['epoch_ uint32', FIRST],
  'Jobs.get': DEAL,
  'Jobs.resultOf': DEAL,
  'Record.commitments': [...DEAL, 'side uint8'],
};

await measureGas(async (name, receipt, chain) => {
  const { provider } = chain;
  for (const { type, action, result } of await provider.send('trace_transaction', [receipt.hash])) {
    // What is asked while a jury is drawn is chance.
    const counts = action.callType === 'call' || (action.callType === 'staticcall' && name !== '');
    if (type === 'call' && counts) takeCall(chain, action, result?.output);
  }
  await takeLogs(chain, receipt);
}, ask);

const oneLine = (text) =>
  text
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/\*(\w+)\*/g, '_$1_')
    .trim();
function describe(name, fragment, { userdoc, devdoc }) {
  const signature = fragment.format('sighash');
  const kind = { function: 'methods', event: 'events', error: 'errors' }[fragment.type];
  const user = userdoc[kind]?.[signature];
  const dev =
    fragment.type === 'function'
      ? (devdoc.methods?.[signature] ?? devdoc.stateVariables?.[fragment.name])
      : devdoc[kind]?.[signature];
  const notice = (Array.isArray(user) ? user[0] : user)?.notice ?? '';
  const { params = {} } = (Array.isArray(dev) ? dev[0] : dev) ?? {};
  const said = Object.entries(params).map(([param, text]) => `\`${param}\`: ${oneLine(text)}`);
  return { signature, text: [oneLine(notice), ...said].filter(Boolean).join(' · ') };
}

/** The one answer that has no name stands for itself. */
function printAnswer(types, values) {
  const all = plainAll(types, values);
  return shortened(JSON.stringify(types.length === 1 ? Object.values(all)[0] : all));
}

/** A call with its arguments, who made it where that was a contract, what was sent along and what was answered. */
function exampleOf(name, fragment) {
  const call = calls.get(`${name} ${fragment.format('sighash')}`);
  if (!call) return null;
  const { text, value, caller, answer } = call;
  const said = answer && interfaces.get(name).decodeFunctionResult(fragment, answer);
  return [
    `\`${text}\``,
    value ? `, with ${value} wei` : '',
    caller && !fragment.constant ? `, from ${caller}` : '',
    said ? ` gives \`${printAnswer(fragment.outputs, said)}\`` : '',
  ].join('');
}

const lines = [
  '# Protocol reference',
  '',
  'Every call, event and error of the contracts, generated from their sources by `contracts/tools/protocol-reference.mjs`; what it all',
  'means stands in [protocol.md](protocol.md). The examples are transactions of the gas measurement, calls between contracts included, and',
  'questions as they were answered then; amounts are in smallest units, long bytes are cut. Signatures and their digests have examples of their own in `contracts/test/vectors/typed-data.json`. What contracts',
  'inherit from OpenZeppelin (ERC-20, Permit, Votes, Governor, Multicall) is documented there.',
];
const without = [];
for (const name of names) {
  const docs = output.contracts[`src/${name}.sol`][name];
  const own = PRODUCTS[name].abi.filter((entry) => entry.name && isOurs(name, entry.name));
  lines.push('', `## ${name}`, '', oneLine(docs.userdoc.notice ?? ''));
  const fragments = own.map((entry) =>
    interfaces.get(name).fragments.find((f) => f.name === entry.name && f.type === entry.type),
  );
  const sections = [
    ['Calls', (f) => f.type === 'function' && !f.constant],
    ['Questions', (f) => f.type === 'function' && f.constant],
    ['Events', (f) => f.type === 'event'],
    ['Errors', (f) => f.type === 'error'],
  ];
  for (const [title, belongs] of sections) {
    const all = fragments.filter(belongs);
    if (all.length === 0) continue;
    lines.push('', `### ${title} of ${name}`, '');
    for (const fragment of all) {
      const { signature, text } = describe(name, fragment, docs);
      const full = fragment
        .format('full')
        .replace(/^(function|event|error) /, '')
        .replaceAll(/tuple\(/g, '(');
      const id = title === 'Events' ? '' : ` \`${fragment.selector}\``;
      lines.push(`- \`${full}\`${id}${text ? `. ${text}` : ''}`);
      const example = title === 'Events' ? logs.get(`${name} ${signature}`) : exampleOf(name, fragment);
      if (example) lines.push(`  - ${example}`);
      else if (title !== 'Errors') without.push(`${name}.${fragment.name}`);
    }
  }
}
const text = `${lines.join('\n').replaceAll(/\n{3,}/g, '\n\n')}\n`;
const known = existsSync(FILE) ? readFileSync(FILE, 'utf8') : '';
/**
 * The examples come from a chain whose clock ran: a second more or less, in times and in ids, is no other reference, nor is
 * another jury drawn.
 */
const timeless = (words) =>
  words
    .replaceAll(/\b1[78]\d{8}\b/g, 'TIME')
    .replaceAll(/0x[0-9a-fA-F]{64,}/g, 'BYTES')
    .replace(/^## Juries$.*?(?=^## )/ms, (chapter) => chapter.replaceAll(/^ {2}- .*$/gm, '  -'));

if (without.length > 0) {
  console.error(`Without an example: ${without.join(', ')}. The scenario is contracts/tools/gas.mjs.`);
  process.exit(1);
}
if (process.argv.includes('--check')) {
  const same = timeless(known) === timeless(text);
  if (!same)
    console.error('docs/protocol-reference.md is out of date. Run: node contracts/tools/protocol-reference.mjs');
  process.exit(same ? 0 : 1);
}
writeFileSync(FILE, text);
console.log(JSON.stringify({ calls: calls.size, events: logs.size }));
