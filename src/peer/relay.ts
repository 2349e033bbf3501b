import * as relay from 'blind-relay';
import type { KeyPair } from '@hyperswarm/secret-stream';
import HyperDHT from 'hyperdht';
import type { Hex } from '../shared/ids.ts';
import { toHex } from './bytes.ts';

export interface Relay {
  /** What peers name in their relay list. */
  readonly peerKey: Hex;
  close(): Promise<void>;
}

/**
 * Carries encrypted bytes between two peers whose routers let no direct path through. Anybody with a public address can
 * run one; it sees who talks to whom and how much, never what.
 */
export async function startRelay(options: {
  keyPair: KeyPair;
  bootstrap: { host: string; port: number }[];
  /** The address to bind; default: all. */
  host?: string;
}): Promise<Relay> {
  const { keyPair, bootstrap, host } = options;
  const dht = new HyperDHT({ bootstrap, keyPair, firewalled: false, ...(host === undefined ? {} : { host }) });
  const relays = new relay.Server({ createStream: (stream) => dht.createRawStream({ ...stream, framed: true }) });
  const server = dht.createServer({}, (connection) => {
    connection.on('error', () => undefined);
    relays.accept(connection, { id: connection.remotePublicKey ?? new Uint8Array() }).on('error', () => undefined);
  });
  await dht.fullyBootstrapped();
  await server.listen(keyPair);
  return {
    peerKey: toHex(keyPair.publicKey),
    async close() {
      await relays.close();
      await dht.destroy();
    },
  };
}
