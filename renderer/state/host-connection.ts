import { create } from 'zustand';
import {
  connectMessagePort,
  connectWebSocket,
  type ApiConnection,
  type ConnectionState,
} from '../../src/api/client.ts';
import type { ApiClient } from '../../src/api/contract.ts';
import { PORT_MESSAGE, type ShellInfo } from '../../src/api/shell-window.ts';

interface Line {
  state: ConnectionState;
  client: ApiClient | null;
  /** Unix milliseconds since which there is no line; null while there is one. */
  lostSince: number | null;
  /** Why signing in with the link's code failed, one sentence. */
  pairingProblem: string | null;
}

/** The line to the host, whichever way it runs. */
export const useLine = create<Line>()(() => ({
  state: 'connecting',
  client: null,
  lostSince: null,
  pairingProblem: null,
}));

function onState(state: ConnectionState) {
  useLine.setState((line) => ({ state, lostSince: state === 'open' ? null : (line.lostSince ?? Date.now()) }));
}

const use = (connection: ApiConnection) => useLine.setState({ client: connection.client });

/** Opens the line: by the shell's MessagePort in the desktop app, by WebSocket to the page's own origin in a browser. */
export function startConnection(): void {
  if (inShell()) {
    listenForPort();
    return;
  }
  void pair().then((problem) => {
    useLine.setState({ pairingProblem: problem });
    const url = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/rpc`;
    use(connectWebSocket(url, undefined, { onState }));
  });
}

export const inShell = () => (window as { commonwatt?: ShellInfo }).commonwatt?.kind === 'electron';

/** The shell posts a fresh port whenever the host (re)starts. */
function listenForPort() {
  window.addEventListener('message', (event) => {
    const port = event.ports[0];
    if (event.source !== window || !port || event.data !== PORT_MESSAGE) return;
    use(connectMessagePort(port, { onState: (state) => onState(state === 'closed' ? 'connecting' : state) }));
  });
}

/** Trades the code of a sign-in link (`#pair=CODE`) for the session cookie, and takes it out of the address bar. */
async function pair(): Promise<string | null> {
  const code = /^#pair=([A-Za-z0-9_-]{1,200})$/.exec(location.hash)?.[1];
  if (code === undefined) return null;
  history.replaceState(null, '', location.pathname);
  try {
    const answer = await fetch('/pair', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ code }),
    });
    return answer.ok ? null : 'This sign-in link was used already or is too old.';
  } catch {
    return 'The sign-in could not reach Commonwatt on this computer.';
  }
}
