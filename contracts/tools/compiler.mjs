/**
 * The one compiler: solc 0.8.37 from node_modules (WebAssembly), so that nothing is downloaded and every machine gets
 * the same bytes.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const here = path.dirname(fileURLToPath(import.meta.url));

export const CONTRACTS = path.dirname(here);
export const ROOT = path.dirname(CONTRACTS);

/** Settings of everything that is deployed. Another choice anywhere gives other bytes. */
export const SETTINGS = {
  viaIR: true,
  evmVersion: 'cancun',
  optimizer: { enabled: true, runs: 1_000_000 },
  metadata: { bytecodeHash: 'none', appendCBOR: false },
};

/** Resolves an import as Solidity writes it: `@openzeppelin/…` from node_modules, anything else from contracts/. */
function readImport(name) {
  const file = name.startsWith('@') ? path.join(ROOT, 'node_modules', name) : path.join(CONTRACTS, name);
  try {
    return { contents: readFileSync(file, 'utf8') };
  } catch {
    return { error: `No such file: ${file}` };
  }
}

/** Compiles standard JSON. Errors are thrown as one text; warnings are returned. */
export function compile(input) {
  const solc = require('solc');
  return JSON.parse(solc.compile(JSON.stringify(input), { import: readImport }));
}

/** Standard JSON passed through untouched: what forge asks for, all sources inside. */
export function compileRaw(text) {
  return require('solc').compile(text, { import: readImport });
}

export const solcVersion = () => require('solc').version();
