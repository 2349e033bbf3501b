import type { Hex } from '../shared/ids.ts';
import { LIMITS } from './limits.ts';

/** Counts who is connected and who knocks how often, and says no before a flood costs memory. */
export interface Gate {
  /** A connection that has not proven who it is; null when there are too many, else call it when that is over. */
  stranger(host: string): (() => void) | null;
  /** Whether this key knocks too often; counts the knock. */
  isFlooding(peerKey: Hex): boolean;
  /** A proven connection; null when there are too many, else call it when the connection ends. */
  enter(peerKey: Hex): (() => void) | null;
}

const REMEMBERED_KEYS = 4096;

export function createGate(monotonicMs: () => number): Gate {
  const strangers = new Map<string, number>();
  const inside = new Map<Hex, number>();
  const knocks = new Map<Hex, { since: number; count: number }>();
  let strangerCount = 0;
  let insideCount = 0;

  return {
    stranger(host) {
      const fromHost = strangers.get(host) ?? 0;
      if (strangerCount >= LIMITS.strangers || fromHost >= LIMITS.strangersPerHost) return null;
      strangerCount += 1;
      strangers.set(host, fromHost + 1);
      return once(() => {
        strangerCount -= 1;
        decrement(strangers, host);
      });
    },
    isFlooding(peerKey) {
      const now = monotonicMs();
      let knock = knocks.get(peerKey);
      if (knock === undefined || now - knock.since > LIMITS.keyWindowMs) knock = { since: now, count: 0 };
      knock.count += 1;
      // Moved to the end: the map forgets who was silent longest.
      knocks.delete(peerKey);
      knocks.set(peerKey, knock);
      if (knocks.size > REMEMBERED_KEYS) {
        const [oldest] = knocks.keys();
        if (oldest !== undefined) knocks.delete(oldest);
      }
      return knock.count > LIMITS.arrivalsPerKey;
    },
    enter(peerKey) {
      const ofKey = inside.get(peerKey) ?? 0;
      if (insideCount >= LIMITS.connections || ofKey >= LIMITS.connectionsPerKey) return null;
      insideCount += 1;
      inside.set(peerKey, ofKey + 1);
      return once(() => {
        insideCount -= 1;
        decrement(inside, peerKey);
      });
    },
  };
}

function decrement<K>(counts: Map<K, number>, key: K): void {
  const left = (counts.get(key) ?? 1) - 1;
  if (left === 0) counts.delete(key);
  else counts.set(key, left);
}

function once(act: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    act();
  };
}
