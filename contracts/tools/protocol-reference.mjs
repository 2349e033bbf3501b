/**
 * Writes docs/protocol-reference.md: every call, event and error of the contracts with its NatSpec, and a worked example of
 * each as it went over a chain when gas was measured.
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
const print = (fragment, values) => shortened(JSON.stringify(plainAll(fragment.inputs, values)));

/** The first transaction of each call, and the first log of each event, as they were on the chain. */
const calls = new Map();
const logs = new Map();
const interfaces = new Map(names.map((name) => [name, new Interface(PRODUCTS[name].abi)]));
await measureGas(async (_name, receipt, { at, provider }) => {
  const nameAt = (address) => names.find((name) => at[name] === address.toLowerCase());
  const target = nameAt(receipt.to);
  const { data, value } = await provider.getTransaction(receipt.hash);
  const parsed = target && interfaces.get(target).parseTransaction({ data, value });
  if (parsed) {
    const key = `${target} ${parsed.signature}`;
    if (!calls.has(key)) calls.set(key, { text: print(parsed.fragment, parsed.args), value });
  }
  for (const log of receipt.logs) {
    const emitter = nameAt(log.address);
    const event = emitter && interfaces.get(emitter).parseLog(log);
    const key = event && `${emitter} ${event.signature}`;
    if (key && !logs.has(key)) logs.set(key, print(event.fragment, event.args));
  }
});

const oneLine = (text) =>
  text
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/\*(\w+)\*/g, '_$1_')
    .trim();
/** Ours, and what is said of it in our sources; what OpenZeppelin brings along is documented there. */
const isOurs = (name, word) =>
  new RegExp(`(function|event|error) ${word}\\(|public (constant |immutable )*${word}\\b`).test(sources.get(name));

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

const lines = [
  '# Protocol reference',
  '',
  'Every call, event and error of the contracts, generated from their sources by `contracts/tools/protocol-reference.mjs`; what it all',
  'means stands in [protocol.md](protocol.md). The examples are transactions of the gas measurement, with amounts in smallest units; long',
  'bytes are cut. Signatures and their digests have examples of their own in `contracts/test/vectors/typed-data.json`. What contracts',
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
      const call = calls.get(`${name} ${signature}`);
      const example = title === 'Calls' ? call?.text : logs.get(`${name} ${signature}`);
      if (example) lines.push(`  - \`${example}\`${call?.value ? `, with ${call.value} wei` : ''}`);
      else if (title === 'Calls' || title === 'Events') without.push(`${name}.${fragment.name}`);
    }
  }
}
const text = `${lines.join('\n').replaceAll(/\n{3,}/g, '\n\n')}\n`;
const known = existsSync(FILE) ? readFileSync(FILE, 'utf8') : '';
/** The examples come from a chain whose clock ran: a second more or less, in times and in ids, is no other reference. */
const timeless = (words) => words.replaceAll(/\b1[78]\d{8}\b/g, 'TIME').replaceAll(/0x[0-9a-fA-F]{64,}/g, 'BYTES');
if (process.argv.includes('--check')) {
  const same = timeless(known) === timeless(text);
  if (!same)
    console.error('docs/protocol-reference.md is out of date. Run: node contracts/tools/protocol-reference.mjs');
  process.exit(same ? 0 : 1);
}
writeFileSync(FILE, text);
console.log(JSON.stringify({ calls: calls.size, events: logs.size, withoutExample: without }));
