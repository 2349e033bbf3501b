import { ActionIcon, Button, TextInput } from '@mantine/core';
import { IconArrowDown, IconArrowUp, IconSearch, IconX } from '@tabler/icons-react';
import { useEffect, useRef, useState } from 'react';
import type { Bytes32 } from '../../../src/shared/ids.ts';
import { toAppError } from '../../../src/shared/errors.ts';
import { StateMark } from '../../parts/StateMark.tsx';
import { useClient } from '../../state/host.ts';
import { useLine } from '../../state/host-connection.ts';
import { failureView } from '../../view/failure.ts';
import { plainText } from '../../../src/shared/plain-text.ts';
import { runSession } from './terminal-session.ts';
import { createTerminal, type TerminalView } from './terminal-view.ts';

interface RemoteTerminalProps {
  rentalId: Bytes32;
  kind: 'terminal' | 'logs';
}

type State =
  | { kind: 'connecting' }
  | { kind: 'open' }
  | { kind: 'retrying'; why: string }
  | { kind: 'ended'; why: string };

const RETRY_MS = 2000;
const FINAL = new Set(['not-found', 'not-allowed', 'conflict', 'bad-input', 'unsupported']);

/** A shell in the rented machine, or its log. Comes back by itself when a line was lost. */
export function RemoteTerminal({ rentalId, kind }: RemoteTerminalProps) {
  const client = useClient();
  const ready = useLine((line) => line.state === 'open');
  const holder = useRef<HTMLDivElement>(null);
  const view = useRef<TerminalView | null>(null);
  const leave = useRef<HTMLButtonElement>(null);
  const [state, setState] = useState<State>({ kind: 'connecting' });
  const [round, setRound] = useState(0);
  const [finding, setFinding] = useState(false);

  useEffect(() => {
    const element = holder.current;
    if (!element) return undefined;
    const made = createTerminal(kind === 'logs');
    made.terminal.open(element);
    made.terminal.textarea?.setAttribute(
      'aria-label',
      kind === 'logs' ? 'Log of the machine' : 'Terminal of the machine',
    );
    made.fit.fit();
    made.terminal.attachCustomKeyEventHandler((event) => {
      if (event.altKey && /^Digit[1-4]$/.test(event.code)) return false;
      if (!event.ctrlKey || !event.shiftKey || event.type !== 'keydown') return true;
      if (event.code === 'KeyM') leave.current?.focus();
      else if (event.code === 'KeyF') setFinding(true);
      else return true;
      event.preventDefault();
      return false;
    });
    view.current = made;
    const resize = new ResizeObserver(() => {
      if (element.clientWidth > 0) made.fit.fit();
    });
    resize.observe(element);
    return () => {
      resize.disconnect();
      made.terminal.dispose();
      view.current = null;
    };
  }, [kind]);

  useEffect(() => {
    const made = view.current;
    if (!made || !ready) return undefined;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    setState({ kind: 'connecting' });
    void runSession(client, made.terminal, kind, rentalId, abort.signal, () => setState({ kind: 'open' })).then(
      (end) => {
        if (abort.signal.aborted) return;
        if (end.kind === 'exited') {
          const code = end.exitCode === null ? '' : ` with exit code ${end.exitCode}`;
          setState({
            kind: 'ended',
            why: `The ${kind === 'logs' ? 'log' : 'shell'} ended${code}. ${plainText(end.reason, 160)}`,
          });
          return;
        }
        const failure = end.error === null ? null : failureView(end.error);
        if (failure && FINAL.has(toAppError(end.error).code)) {
          setState({ kind: 'ended', why: `${failure.message} ${failure.next ?? ''}` });
          return;
        }
        setState({ kind: 'retrying', why: failure?.message ?? 'The line was lost.' });
        timer = setTimeout(() => setRound((old) => old + 1), RETRY_MS);
      },
    );
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [client, ready, rentalId, kind, round]);

  return (
    <div className="remote-terminal">
      <div className="terminal-bar">
        <span role="status" className="terminal-state">
          <TerminalState
            state={ready ? state : { kind: 'retrying', why: 'This window lost its line to Commonwatt.' }}
          />
        </span>
        {state.kind === 'ended' ? (
          <Button size="compact-sm" variant="default" onClick={() => setRound((old) => old + 1)}>
            {kind === 'logs' ? 'Read again' : 'New shell'}
          </Button>
        ) : null}
        {finding ? <Find view={view} onClose={() => setFinding(false)} /> : null}
        <ActionIcon ref={leave} size={28} aria-label="Find in the terminal" onClick={() => setFinding(!finding)}>
          <IconSearch size={16} />
        </ActionIcon>
      </div>
      <div ref={holder} className="terminal-screen" />
    </div>
  );
}

function TerminalState({ state }: { state: State }) {
  switch (state.kind) {
    case 'connecting':
      return <StateMark shape="wait" label="Connecting…" />;
    case 'open':
      return <StateMark shape="flow" label="Connected" />;
    case 'retrying':
      return (
        <>
          <StateMark shape="stop" label="Reconnecting" /> {state.why}
        </>
      );
    case 'ended':
      return (
        <>
          <StateMark shape="off" label="Ended" /> {state.why}
        </>
      );
  }
}

function Find({ view, onClose }: { view: { current: TerminalView | null }; onClose: () => void }) {
  const [text, setText] = useState('');
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const next = () => view.current?.search.findNext(text);
  const previous = () => view.current?.search.findPrevious(text);
  const close = () => {
    view.current?.search.clearDecorations();
    view.current?.terminal.focus();
    onClose();
  };
  return (
    <span className="find" role="search">
      <TextInput
        size="xs"
        aria-label="Find"
        placeholder="Find"
        value={text}
        ref={field}
        onChange={(event) => {
          setText(event.currentTarget.value);
          view.current?.search.findNext(event.currentTarget.value, { incremental: true });
        }}
        onKeyDown={(event) => {
          if (event.key === 'Enter') (event.shiftKey ? previous : next)();
          if (event.key === 'Escape') close();
        }}
      />
      <ActionIcon size={28} aria-label="Earlier" onClick={previous}>
        <IconArrowUp size={16} />
      </ActionIcon>
      <ActionIcon size={28} aria-label="Later" onClick={next}>
        <IconArrowDown size={16} />
      </ActionIcon>
      <ActionIcon size={28} aria-label="Close find" onClick={close}>
        <IconX size={16} />
      </ActionIcon>
    </span>
  );
}
