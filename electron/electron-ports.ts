/** The real Electron behind the shell's ports: thin, without decisions, because it runs only where the binary exists. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import {
  BrowserWindow,
  MessageChannelMain,
  Notification,
  app,
  dialog,
  protocol,
  safeStorage,
  session,
  shell,
  utilityProcess,
} from 'electron';
import type { MessagePortMain } from 'electron';
import { PORT_MESSAGE } from '../src/api/shell-window.ts';
import type { HostProcess, Port, ShellPorts, ShellWindow } from './shell-ports.ts';

/** Must be called before the app is ready. */
export function claimScheme(): void {
  protocol.registerSchemesAsPrivileged([
    { scheme: 'app', privileges: { standard: true, secure: true, supportFetchAPI: true, codeCache: true } },
  ]);
}

// Every port that goes round here was made by `createChannel`.
const real = (port: Port) => port as MessagePortMain;

/**
 * @param dist folder of the built parts: `ui`, `preload`, `host`
 * @param hostArgs handed to the host's process as they came
 */
export function electronPorts(dist: string, hostArgs: readonly string[]): ShellPorts {
  return {
    platform: process.platform,
    uiDir: path.join(dist, 'ui'),
    claimSingleInstance(onSecond) {
      app.on('second-instance', onSecond);
      return app.requestSingleInstanceLock();
    },
    async whenReady() {
      await app.whenReady();
      // The page needs none of what a site may ask for, but copying from the terminal.
      session.defaultSession.setPermissionRequestHandler((_contents, permission, answer) =>
        answer(permission === 'clipboard-sanitized-write'),
      );
      session.defaultSession.setPermissionCheckHandler(
        (_contents, permission) => permission === 'clipboard-sanitized-write',
      );
    },
    onAllWindowsClosed: (listener) => void app.on('window-all-closed', listener),
    onActivate: (listener) => void app.on('activate', listener),
    onBeforeQuit: (listener) =>
      void app.on('before-quit', (event) => {
        if (!listener()) event.preventDefault();
      }),
    quit: () => app.quit(),
    serve: (handler) => protocol.handle('app', ({ url, method }) => handler({ url, method })),
    openWindow: () => openWindow(dist),
    forkHost: () => forkHost(path.join(dist, 'host', 'utility-process.js'), hostArgs),
    createChannel() {
      const { port1, port2 } = new MessageChannelMain();
      return { page: port1, host: port2 };
    },
    async confirm({ title, detail, yes }) {
      const { response } = await dialog.showMessageBox({
        type: 'question',
        message: title,
        detail,
        buttons: ['Cancel', yes],
        defaultId: 0,
        cancelId: 0,
        noLink: true,
      });
      return response === 1;
    },
    openExternal: (url) => shell.openExternal(url),
    notify: ({ title, body }, onClick) => notify(title, body, onClick),
    seal: (text) => (hasKeychain() ? safeStorage.encryptString(text).toString('base64') : null),
    unseal(sealed) {
      try {
        return hasKeychain() ? safeStorage.decryptString(Buffer.from(sealed, 'base64')) : null;
      } catch {
        return null;
      }
    },
    readFile: (file) => readFile(file).catch(() => null),
    after(ms, run) {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
    nowMs: () => performance.now(),
    log: (message, details) => process.stderr.write(`${JSON.stringify({ shell: message, ...details })}\n`),
  };
}

/** On Linux without a keyring Electron would only scramble with a fixed key: that is no secret store. */
const hasKeychain = () =>
  safeStorage.isEncryptionAvailable() &&
  (process.platform !== 'linux' || safeStorage.getSelectedStorageBackend() !== 'basic_text');

function openWindow(dist: string): ShellWindow {
  const window = new BrowserWindow({
    width: 1240,
    height: 820,
    minWidth: 420,
    minHeight: 480,
    title: 'Commonwatt',
    backgroundColor: '#111418',
    show: false,
    autoHideMenuBar: true,
    webPreferences: {
      preload: path.join(dist, 'preload', 'preload.cjs'),
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      webviewTag: false,
      navigateOnDragDrop: false,
      spellcheck: false,
    },
  });
  const { webContents } = window;
  window.once('ready-to-show', () => window.show());
  webContents.on('will-attach-webview', (event) => event.preventDefault());

  return {
    load: (url) => void window.loadURL(url).catch(() => undefined),
    sendPort: (port) => webContents.postMessage(PORT_MESSAGE, null, [real(port)]),
    onLoaded: (listener) => void webContents.on('did-finish-load', () => listener(webContents.getURL())),
    onNavigate(allow) {
      webContents.on('will-frame-navigate', (event) => {
        if (!allow(event.url)) event.preventDefault();
      });
      webContents.on('will-redirect', (event) => {
        if (!allow(event.url)) event.preventDefault();
      });
    },
    onOpen: (listener) =>
      webContents.setWindowOpenHandler(({ url }) => {
        listener(url);
        return { action: 'deny' };
      }),
    onClosed: (listener) => void window.on('closed', listener),
    onCrashed: (listener) =>
      void webContents.on('render-process-gone', (_event, { reason }) => {
        if (reason !== 'clean-exit') listener();
      }),
    present() {
      if (window.isMinimized()) window.restore();
      window.show();
      window.focus();
    },
    isFocused: () => window.isFocused(),
    goTo(url) {
      // The very same address would be loaded anew.
      if (webContents.getURL() !== url) void window.loadURL(url).catch(() => undefined);
    },
  };
}

/** Kept: one that is collected as garbage hears no click. Not every system says that one was closed. */
const shown: Notification[] = [];
const MAX_SHOWN = 20;

function notify(title: string, body: string, onClick: () => void): void {
  if (!Notification.isSupported()) return;
  const notification = new Notification({ title, body });
  notification.on('click', onClick);
  shown.push(notification);
  if (shown.length > MAX_SHOWN) shown.shift();
  notification.show();
}

function forkHost(file: string, args: readonly string[]): HostProcess {
  const child = utilityProcess.fork(file, [...args], { serviceName: 'Commonwatt host', stdio: 'inherit' });
  return {
    send: (message, ports = []) => child.postMessage(message, ports.map(real)),
    onMessage: (listener) => void child.on('message', listener),
    onExit: (listener) => void child.once('exit', (code) => listener(code)),
    kill: () => void child.kill(),
  };
}
