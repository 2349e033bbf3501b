/**
 * Runs sandboxed beside the page. It hands on the port to the host and says that this is the desktop app; it gives the
 * page no function to call.
 */
import { contextBridge, ipcRenderer } from 'electron';
import { PORT_MESSAGE } from '../src/api/shell-window.ts';
import type { ShellInfo } from '../src/api/shell-window.ts';

contextBridge.exposeInMainWorld('commonwatt', {
  kind: 'electron',
  version: process.versions['electron'] ?? '',
} satisfies ShellInfo);

ipcRenderer.on(PORT_MESSAGE, (event) => {
  window.postMessage(PORT_MESSAGE, window.location.origin, [...event.ports]);
});
