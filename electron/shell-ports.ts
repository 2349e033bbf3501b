/**
 * The parts of Electron this shell uses, and nothing else. The real ones are in electron-ports.ts; the logic is tested
 * against a stand-in of the same types.
 */
import type { Announcement } from '../src/api/announcements.ts';
import type { ShellToHost } from '../src/api/shell-messages.ts';

/** One end of a MessageChannelMain; only ever handed on. */
export interface Port {
  close(): void;
}

/** The host's process. */
export interface HostProcess {
  send(message: ShellToHost, ports?: readonly Port[]): void;
  /** Whatever it says, unchecked. */
  onMessage(listener: (message: unknown) => void): void;
  /** Called once, with null when it could not be started. */
  onExit(listener: (code: number | null) => void): void;
  kill(): void;
}

/** The one window. */
export interface ShellWindow {
  load(url: string): void;
  /** To the preload of the page that is loaded now. */
  sendPort(port: Port): void;
  /** The page has loaded, whichever it is. */
  onLoaded(listener: (url: string) => void): void;
  /** Where the page wants to go; `false` stops it. Frames and redirects included. */
  onNavigate(allow: (url: string) => boolean): void;
  /** The page wants a new window; none is ever opened. */
  onOpen(listener: (url: string) => void): void;
  onClosed(listener: () => void): void;
  /** The page's process is gone or hangs. */
  onCrashed(listener: () => void): void;
  /** Restores, shows and focuses. */
  present(): void;
  /** Shown, and what the keyboard goes to. */
  isFocused(): boolean;
  /** To another place of the page that is open, without loading the page again. */
  goTo(url: string): void;
}

export interface ShellRequest {
  url: string;
  method: string;
}

export interface ShellPorts {
  /** False when this program runs already for the same data: then it quits and the other shows its window. */
  claimSingleInstance(onSecond: () => void): boolean;
  whenReady(): Promise<void>;
  onAllWindowsClosed(listener: () => void): void;
  /** macOS: the dock icon was clicked. */
  onActivate(listener: () => void): void;
  /** Return false to hold the quit back until `quit` is called again. */
  onBeforeQuit(listener: () => boolean): void;
  quit(): void;
  /** Serves the `app:` scheme; no other way reads a file. */
  serve(handler: (request: ShellRequest) => Promise<Response>): void;
  openWindow(): ShellWindow;
  forkHost(): HostProcess;
  createChannel(): { page: Port; host: Port };
  /** Asks before the browser is opened. */
  confirm(question: { title: string; detail: string; yes: string }): Promise<boolean>;
  openExternal(url: string): Promise<void>;
  /** A notification of the operating system, where it has such and allows it; its text is plain already. */
  notify(announcement: Announcement, onClick: () => void): void;
  /** null where there is no real keychain. */
  seal(text: string): string | null;
  unseal(sealed: string): string | null;
  readFile(file: string): Promise<Uint8Array | null>;
  /** Calls back once after `ms`; returns the way to call it off. */
  after(ms: number, run: () => void): () => void;
  nowMs(): number;
  log(message: string, details?: object): void;
  platform: NodeJS.Platform;
  /** Folder of the built page. */
  uiDir: string;
}
