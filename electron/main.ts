import path from 'node:path';
import { app } from 'electron';
import { claimScheme, electronPorts } from './electron-ports.ts';
import { dataDirOf } from './arguments.ts';
import { runShell } from './shell.ts';

const args = process.argv.slice(app.isPackaged ? 1 : 2);

claimScheme();
app.enableSandbox();
// The single-instance lock and the window's own state belong to the data directory: two of them may run side by side.
const dataDir = dataDirOf(args);
if (dataDir !== null) app.setPath('userData', path.join(path.resolve(dataDir), 'shell'));

void runShell(electronPorts(path.join(import.meta.dirname, '..'), args));
