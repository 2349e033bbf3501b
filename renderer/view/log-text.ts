import { withoutBidi } from '../../src/shared/plain-text.ts';

const ESCAPES = /\u001B\[[0-9;?]*[ -/]*[@-~]|\u001B\][^\u0007\u001B]*(?:\u0007|\u001B\\)|\u001B[@-Z\\^_]/g;
/** The beginning of an escape sequence whose end has not come yet. */
const UNFINISHED = /\u001B(?:\[[0-9;?]{0,40}[ -/]{0,8}|\][^\u0007\u001B]{0,4000}\u001B?)?$/;
const TAIL = 4100;
/** All but tab, line feed, carriage return and escape. */
const CONTROLS = /[\u0000-\u0008\u000B\u000C\u000E-\u001A\u001C-\u001F\u007F]/g;

/**
 * A log with another piece of output behind it, at most `max` characters, the newest kept. Colours and other commands to
 * a terminal are left out; a line that is written over (a progress bar) shows as it stands now.
 */
export function appendLog(log: string, piece: string, max: number): string {
  const lineAt = log.lastIndexOf('\n') + 1;
  const open = (log.slice(lineAt) + piece)
    .replaceAll('\r\n', '\n')
    .replaceAll(ESCAPES, '')
    .replaceAll(CONTROLS, '')
    .replaceAll(/[^\n]*\r(?=[^\r\n])/g, '');
  return withoutBidi(log.slice(0, lineAt) + open).slice(-max);
}

/** A log as it is shown: without what only has a meaning once more of it comes. */
export const visibleLog = (log: string): string =>
  log.slice(0, -TAIL) + log.slice(-TAIL).replace(UNFINISHED, '').replaceAll('\r', '');
