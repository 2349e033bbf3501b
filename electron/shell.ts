import { gatherNotices } from '../src/api/announcements.ts';
import { superviseHost } from './host-supervisor.ts';
import type { HostSupervisor } from './host-supervisor.ts';
import { FAILED, HOME, RETRY, answerPage, externalLink, isOwnPage } from './pages.ts';
import type { ShellPorts, ShellWindow } from './shell-ports.ts';

/**
 * The desktop shell: one window, one host process, one port between them. It knows nothing of the product. Resolves when
 * the window is open; a second instance only shows the first one's window and quits.
 */
export async function runShell(ports: ShellPorts): Promise<void> {
  let window: ShellWindow | null = null;
  let host: HostSupervisor | null = null;
  const present = () => {
    if (window) window.present();
    else if (host) window = open(host);
  };
  if (!ports.claimSingleInstance(() => present())) {
    ports.quit();
    return;
  }

  let quitting: 'no' | 'stopping' | 'done' = 'no';
  ports.onBeforeQuit(() => {
    if (quitting === 'done' || !host) return true;
    if (quitting === 'no') {
      quitting = 'stopping';
      void host.stop().then(() => {
        quitting = 'done';
        ports.quit();
      });
    }
    return false;
  });
  ports.onAllWindowsClosed(() => {
    // On macOS an app stays in the dock without a window.
    if (ports.platform !== 'darwin') ports.quit();
  });
  ports.onActivate(present);

  await ports.whenReady();
  const supervisor = superviseHost(ports);
  host = supervisor;
  ports.serve((request) =>
    answerPage(request, {
      uiDir: ports.uiDir,
      readFile: (file) => ports.readFile(file),
      hostState: () => supervisor.state,
    }),
  );
  supervisor.onState(({ state }) => {
    if (state === 'failed') window?.load(FAILED);
    // The page that lost its host gets a port to the new one; a page that loads meanwhile asks for its own.
    if (state === 'restarting' && window) connect(window, supervisor);
  });
  const notices = gatherNotices({
    after: (ms, run) => ports.after(ms, run),
    nowMs: () => ports.nowMs(),
    isLooking: () => window?.isFocused() ?? false,
    show: (announcement) => ports.notify(announcement, () => presentAt(announcement.place)),
  });
  supervisor.onNotice((notice) => notices.hear(notice));
  window = open(supervisor);

  function presentAt(place: string) {
    if (!window) {
      window = open(supervisor, place);
      return;
    }
    if (place !== '' && supervisor.state.state !== 'failed') window.goTo(HOME + place);
    window.present();
  }

  function open(to: HostSupervisor, place = ''): ShellWindow {
    const opened = ports.openWindow();
    opened.onNavigate((url) => {
      if (url === RETRY) {
        to.retry();
        opened.load(HOME);
        return false;
      }
      return isOwnPage(url);
    });
    opened.onOpen((url) => void offerInBrowser(url));
    opened.onLoaded((url) => {
      if (isOwnPage(url) && url !== FAILED) connect(opened, to);
    });
    opened.onCrashed(() => {
      ports.log('the window crashed; loading it again');
      opened.load(to.state.state === 'failed' ? FAILED : HOME);
    });
    opened.onClosed(() => {
      if (window === opened) window = null;
    });
    opened.load(to.state.state === 'failed' ? FAILED : HOME + place);
    return opened;
  }

  function connect(page: ShellWindow, to: HostSupervisor) {
    const channel = ports.createChannel();
    to.connect(channel.host);
    page.sendPort(channel.page);
  }

  async function offerInBrowser(url: string) {
    const link = externalLink(url);
    if (link === null) {
      ports.log('refused to open a link');
      return;
    }
    const agreed = await ports.confirm({ title: 'Open this link in your browser?', detail: link, yes: 'Open' });
    if (agreed) await ports.openExternal(link);
  }
}
