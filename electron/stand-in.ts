/** A stand-in for Electron, for tests: the shell's ports with everything that happened laid open. Time moves by hand. */
import type { Announcement } from '../src/api/announcements.ts';
import type { HostToShell, ShellToHost } from '../src/api/shell-messages.ts';
import type { HostProcess, Port, ShellPorts, ShellRequest, ShellWindow } from './shell-ports.ts';

interface StandInPort extends Port {
  name: string;
  closed: boolean;
}

export interface StandInHost extends HostProcess {
  sent: { message: ShellToHost; ports: StandInPort[] }[];
  killed: boolean;
  /** The host speaks; whatever it says. */
  say(message: HostToShell | { type: string } | string): void;
  exit(code: number | null): void;
}

export interface StandInWindow extends ShellWindow {
  loads: string[];
  ports: StandInPort[];
  presented: number;
  focused: boolean;
  finishLoading(): void;
  /** True when the shell lets the page go there. */
  navigate(url: string): boolean;
  open(url: string): void;
  crash(): void;
  close(): void;
}

export interface StandIn {
  ports: ShellPorts;
  windows: StandInWindow[];
  hosts: StandInHost[];
  channels: { page: StandInPort; host: StandInPort }[];
  opened: string[];
  asked: string[];
  announced: { announcement: Announcement; click: () => void }[];
  quits: number;
  /** The answer to the next questions. */
  agree: boolean;
  second(): void;
  activate(): void;
  /** The owner quits; true when nothing holds it back. */
  askQuit(): boolean;
  allClosed(): void;
  fetch(request: ShellRequest): Promise<Response>;
  advance(ms: number): void;
}

const heard = <T>() => {
  const listeners: ((value: T) => void)[] = [];
  return {
    on: (listener: (value: T) => void) => void listeners.push(listener),
    emit: (value: T) => listeners.forEach((listener) => listener(value)),
  };
};

export function standIn(
  options: { first?: boolean; platform?: NodeJS.Platform; files?: Readonly<Record<string, string>> } = {},
): StandIn {
  const second = heard<void>();
  const activate = heard<void>();
  const allClosed = heard<void>();
  let beforeQuit: (() => boolean) | null = null;
  let handler: ((request: ShellRequest) => Promise<Response>) | null = null;
  let now = 0;
  let timers: { at: number; run: () => void }[] = [];

  const all: StandIn = {
    windows: [],
    hosts: [],
    channels: [],
    opened: [],
    asked: [],
    announced: [],
    quits: 0,
    agree: false,
    second: () => second.emit(),
    activate: () => activate.emit(),
    askQuit: () => beforeQuit?.() ?? true,
    allClosed: () => allClosed.emit(),
    fetch: (request) => handler?.(request) ?? Promise.reject(new Error('nothing is served')),
    advance(ms) {
      const until = now + ms;
      for (;;) {
        const due = timers.filter(({ at }) => at <= until).toSorted((a, b) => a.at - b.at)[0];
        if (!due) break;
        timers = timers.filter((timer) => timer !== due);
        now = due.at;
        due.run();
      }
      now = until;
    },
    ports: {
      platform: options.platform ?? 'linux',
      uiDir: '/ui',
      claimSingleInstance(onSecond) {
        second.on(onSecond);
        return options.first ?? true;
      },
      whenReady: () => Promise.resolve(),
      onAllWindowsClosed: allClosed.on,
      onActivate: activate.on,
      onBeforeQuit(listener) {
        beforeQuit = listener;
      },
      quit() {
        if (beforeQuit?.() ?? true) all.quits += 1;
      },
      serve(serve) {
        handler = serve;
      },
      openWindow: () => openWindow(all),
      forkHost: () => forkHost(all),
      createChannel() {
        const channel = {
          page: makePort(`page ${all.channels.length}`),
          host: makePort(`host ${all.channels.length}`),
        };
        all.channels.push(channel);
        return channel;
      },
      confirm({ detail }) {
        all.asked.push(detail);
        return Promise.resolve(all.agree);
      },
      openExternal(url) {
        all.opened.push(url);
        return Promise.resolve();
      },
      notify: (announcement, click) => void all.announced.push({ announcement, click }),
      seal: (text) => `sealed ${text}`,
      unseal: (sealed) => (sealed.startsWith('sealed ') ? sealed.slice(7) : null),
      readFile: (file) =>
        Promise.resolve(options.files?.[file] === undefined ? null : Buffer.from(options.files[file])),
      after(ms, run) {
        const timer = { at: now + ms, run };
        timers.push(timer);
        return () => {
          timers = timers.filter((other) => other !== timer);
        };
      },
      nowMs: () => now,
      log: () => {},
    },
  };
  return all;
}

function makePort(name: string): StandInPort {
  const made = { name, closed: false, close: () => void (made.closed = true) };
  return made;
}

function openWindow(all: StandIn): StandInWindow {
  const loaded = heard<string>();
  const opens = heard<string>();
  const closed = heard<void>();
  const crashed = heard<void>();
  let allow: ((url: string) => boolean) | null = null;
  const window: StandInWindow = {
    loads: [],
    ports: [],
    presented: 0,
    focused: false,
    load: (url) => void window.loads.push(url),
    sendPort: (port) => void window.ports.push(port as StandInPort),
    onLoaded: loaded.on,
    onNavigate(listener) {
      allow = listener;
    },
    onOpen: opens.on,
    onClosed: closed.on,
    onCrashed: crashed.on,
    present: () => void (window.presented += 1),
    isFocused: () => window.focused,
    goTo: (url) => void window.loads.push(url),
    finishLoading: () => loaded.emit(window.loads.at(-1) ?? ''),
    navigate: (url) => allow?.(url) ?? true,
    open: opens.emit,
    crash: () => crashed.emit(),
    close: () => closed.emit(),
  };
  all.windows.push(window);
  return window;
}

function forkHost(all: StandIn): StandInHost {
  const messages = heard<unknown>();
  const exits = heard<number | null>();
  let gone = false;
  const host: StandInHost = {
    sent: [],
    killed: false,
    send: (message, ports = []) => void host.sent.push({ message, ports: ports as StandInPort[] }),
    onMessage: messages.on,
    onExit: exits.on,
    kill() {
      host.killed = true;
      host.exit(null);
    },
    say: messages.emit,
    exit(code) {
      if (gone) return;
      gone = true;
      exits.emit(code);
    },
  };
  all.hosts.push(host);
  return host;
}
