import { FitAddon } from '@xterm/addon-fit';
import { SearchAddon } from '@xterm/addon-search';
import { Unicode11Addon } from '@xterm/addon-unicode11';
import { Terminal } from '@xterm/xterm';

const SCROLLBACK = 5000;
/**
 * Questions that a terminal answers into the shell's input: device attributes, its version, modes, what a key or setting
 * is. Nobody asks here who is meant to have an answer.
 */
const UNANSWERED_CSI = [
  { final: 'c' },
  { prefix: '>', final: 'c' },
  { prefix: '=', final: 'c' },
  { prefix: '>', final: 'q' },
  { intermediates: '$', final: 'p' },
  { prefix: '?', intermediates: '$', final: 'p' },
];
const UNANSWERED_DCS = [
  { intermediates: '$', final: 'q' },
  { intermediates: '+', final: 'q' },
];
/** Operating system commands of a terminal that would reach outside it: title, icon, colours, links, clipboard. */
const SWALLOWED_OSC = [0, 1, 2, 4, 7, 8, 9, 10, 11, 12, 50, 52, 99, 104, 110, 111, 112, 777, 1337];

export interface TerminalView {
  terminal: Terminal;
  fit: FitAddon;
  search: SearchAddon;
}

/**
 * A terminal for a stranger's output: no clipboard, no links, no titles, no window commands, no bell. It answers one
 * kind of question, where the cursor is and whether it listens (line editors ask), with digits; other questions are
 * swallowed, so that output cannot type words. Programs may still ask for mouse, focus and paste marks, which reach
 * only the machine they run in.
 */
export function createTerminal(readOnly: boolean): TerminalView {
  const terminal = new Terminal({
    allowProposedApi: true,
    convertEol: readOnly,
    cursorBlink: false,
    disableStdin: readOnly,
    fontFamily: "ui-monospace, 'SF Mono', 'Cascadia Mono', 'DejaVu Sans Mono', Menlo, Consolas, monospace",
    fontSize: 12,
    lineHeight: 1.25,
    linkHandler: { activate: () => undefined },
    scrollback: SCROLLBACK,
    minimumContrastRatio: 4.5,
    windowOptions: {},
    theme: {
      background: '#0a0b0c',
      foreground: '#dfe3e8',
      cursor: '#f5a524',
      cursorAccent: '#0a0b0c',
      selectionBackground: '#5c431a',
      yellow: '#e2b64d',
      green: '#62d391',
      red: '#ff8a80',
      blue: '#7fb2ff',
      magenta: '#d6a0ff',
      cyan: '#6fd3d8',
    },
  });
  const fit = new FitAddon();
  const search = new SearchAddon();
  terminal.loadAddon(fit);
  terminal.loadAddon(search);
  terminal.loadAddon(new Unicode11Addon());
  terminal.unicode.activeVersion = '11';
  for (const code of SWALLOWED_OSC) terminal.parser.registerOscHandler(code, () => true);
  for (const id of UNANSWERED_CSI) terminal.parser.registerCsiHandler(id, () => true);
  for (const id of UNANSWERED_DCS) terminal.parser.registerDcsHandler(id, () => true);
  return { terminal, fit, search };
}
