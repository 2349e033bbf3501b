/** What the desktop shell's preload and the page agree on. Free of imports: a sandboxed preload carries all it needs. */

/** Posted by the preload into its own page, with the page's end of a port, whenever the host (re)starts or the page loads. */
export const PORT_MESSAGE = 'commonwatt:port';

/** What the preload shows the page, as `window.commonwatt`. Nothing here can do anything. */
export interface ShellInfo {
  kind: 'electron';
  version: string;
}
