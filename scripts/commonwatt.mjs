#!/usr/bin/env node
// The `commonwatt` command from a checkout: sets up what is missing, then runs the command line.
import { spawnSync } from 'node:child_process';
import path from 'node:path';

const run = path.join(import.meta.dirname, 'run.mjs');
const result = spawnSync(process.execPath, [run, 'commonwatt', ...process.argv.slice(2)], { stdio: 'inherit' });
process.exit(result.status ?? 1);
