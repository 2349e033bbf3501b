import { AppError, toAppError } from '../shared/errors.ts';
import type { Control, Hello } from './frames.ts';
import type { PeerIdentity } from './peer-link.ts';
import type { Wire } from './wire.ts';

export interface Greeted {
  remote: PeerIdentity;
  purpose: Hello['purpose'];
}

interface GreetOptions {
  hello: () => Promise<Hello>;
  /** @throws AppError why this peer is refused. */
  check: (hello: Hello) => PeerIdentity;
  signal: AbortSignal;
}

/**
 * Both sides say who they are, check the other, and welcome it. The initiator's welcome comes last and only when it
 * uses this connection: of several that race, the acceptor sees none but the winner.
 *
 * The initiator's half: resolves when the other side has welcomed us; then `confirm` or close.
 * @throws AppError with the reason of whichever side refused.
 */
export function greetAsInitiator(wire: Wire, options: GreetOptions): Promise<Greeted & { confirm: () => void }> {
  return greet(wire, options, (greeted) => ({
    ...greeted,
    confirm: () => wire.control({ t: 'welcome' }),
  }));
}

/**
 * The acceptor's half. `established` runs inside the arrival of the initiator's welcome, so that nothing that follows
 * it can be missed.
 */
export function greetAsAcceptor<T>(
  wire: Wire,
  options: GreetOptions,
  established: (greeted: Greeted) => T,
): Promise<T> {
  return greet(wire, options, established);
}

function greet<T>(wire: Wire, { hello, check, signal }: GreetOptions, welcomed: (greeted: Greeted) => T): Promise<T> {
  return new Promise((resolve, reject) => {
    let greeted: Greeted | null = null;
    let introduced = false;
    const welcome = () => {
      if (!wire.initiator && introduced && greeted !== null) wire.control({ t: 'welcome' });
    };
    const giveUp = (thrown: unknown) => {
      const error = toAppError(thrown);
      signal.removeEventListener('abort', onAbort);
      wire.close(error.code, error.message);
      reject(error);
    };
    const onAbort = () => giveUp(new AppError('peer-unreachable', 'The other machine did not say who it is in time.'));
    const refuse = (reason: string): never => {
      giveUp(new AppError('peer-refused', `The other side ${reason}.`));
      throw new Error(reason);
    };

    const onHello = (frame: Hello) => {
      if (greeted !== null) refuse('greeted twice');
      greeted = { remote: check(frame), purpose: frame.purpose };
      welcome();
    };
    const control = (frame: Control) => {
      if (frame.t === 'hello') {
        try {
          onHello(frame);
        } catch (thrown) {
          giveUp(thrown);
        }
        return;
      }
      if (frame.t !== 'welcome' || greeted === null) {
        refuse('spoke before it said who it is');
        return;
      }
      signal.removeEventListener('abort', onAbort);
      wire.receiver = silent;
      resolve(welcomed(greeted));
    };
    const tooEarly = () => refuse('spoke before it said who it is');

    wire.receiver = { control, data: tooEarly, credit: tooEarly, pong: tooEarly };
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    void wire.closed.then(({ reason }) => {
      signal.removeEventListener('abort', onAbort);
      const { farewell } = wire;
      reject(
        farewell === null
          ? new AppError('peer-unreachable', `The connection ended before the greeting was over: ${reason}.`)
          : refusal(farewell),
      );
    });
    hello()
      .then((ours) => {
        wire.control(ours);
        introduced = true;
        welcome();
      })
      .catch(giveUp);
  });
}

/** Only these codes mean the same on our side: a wallet locked over there is not ours. */
const SHARED_CODES = ['busy', 'wrong-network', 'peer-refused'] as const;

const refusal = ({ code, reason }: { code: string; reason: string }): AppError =>
  new AppError(
    SHARED_CODES.find((shared) => shared === code) ?? 'peer-refused',
    `The other machine refused: ${reason}`,
  );

/** Between the greeting and the connection that takes over in the same turn. */
const silent = { control: () => undefined, data: () => undefined, credit: () => undefined, pong: () => undefined };
