// The parts of the Holepunch packages that this room uses; none of them ships types.

declare module '@hyperswarm/secret-stream' {
  import type { EventEmitter } from 'node:events';
  import type { Socket } from 'node:net';

  /** What the carriers below have in common: a node socket or a UDX stream. */
  export interface RawStream extends EventEmitter {
    remoteHost?: string | null;
    remotePort?: number | undefined;
    destroy(error?: Error): void;
  }

  export interface KeyPair {
    publicKey: Uint8Array;
    secretKey: Uint8Array;
  }

  export default class NoiseSecretStream extends EventEmitter {
    constructor(isInitiator: boolean, rawStream: Socket, options: { keyPair: KeyPair });
    readonly isInitiator: boolean;
    readonly remotePublicKey: Uint8Array | null;
    readonly rawStream: RawStream | null;
    readonly opened: Promise<boolean>;
    readonly destroyed: boolean;
    readonly destroying: boolean;
    /** Present in every release so far, though streamx does not document it. */
    readonly _writableState?: { buffered: number };
    /** Length that the message now coming in has announced. */
    readonly _len: number;
    end(): void;
    destroy(error?: Error): void;
  }
}

declare module 'protomux' {
  import type NoiseSecretStream from '@hyperswarm/secret-stream';
  import type { Encoding } from 'compact-encoding';

  export interface MuxMessage<T> {
    send(value: T): boolean;
  }

  export interface MuxChannel {
    open(): void;
    close(): void;
    addMessage<T>(options: {
      encoding: Encoding<T>;
      autoBatch?: boolean;
      onmessage: (value: T) => void;
    }): MuxMessage<T>;
  }

  export default class Protomux {
    constructor(stream: NoiseSecretStream);
    readonly drained: boolean;
    createChannel(options: {
      protocol: string;
      onopen?: () => void;
      onclose?: () => void;
      ondrain?: () => void;
    }): MuxChannel | null;
  }
}

declare module 'compact-encoding' {
  export interface EncodingState {
    start: number;
    end: number;
    buffer: Uint8Array | null;
  }

  export interface Encoding<T> {
    preencode(state: EncodingState, value: T): void;
    encode(state: EncodingState, value: T): void;
    decode(state: EncodingState): T;
  }

  const codecs: { raw: Encoding<Uint8Array>; uint: Encoding<number> };
  export default codecs;
}

declare module 'hypercore-crypto' {
  import type { KeyPair } from '@hyperswarm/secret-stream';

  const crypto: {
    keyPair(seed?: Uint8Array): KeyPair;
    sign(message: Uint8Array, secretKey: Uint8Array): Uint8Array;
    verify(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean;
  };
  export default crypto;
}

declare module 'hyperdht' {
  import type { EventEmitter } from 'node:events';
  import type NoiseSecretStream from '@hyperswarm/secret-stream';
  import type { KeyPair, RawStream } from '@hyperswarm/secret-stream';

  export interface DhtServer extends EventEmitter {
    listen(keyPair: KeyPair): Promise<unknown>;
    close(): Promise<void>;
  }

  export default class HyperDHT extends EventEmitter {
    constructor(options: {
      bootstrap: { host: string; port: number }[];
      keyPair?: KeyPair;
      host?: string;
      port?: number;
      ephemeral?: boolean;
      firewalled?: boolean;
      anyPort?: boolean;
      randomPunchInterval?: number;
    });
    readonly rawStreams: Iterable<RawStream>;
    fullyBootstrapped(): Promise<void>;
    address(): { host: string; port: number };
    connect(
      publicKey: Uint8Array,
      options: { keyPair?: KeyPair; relayThrough?: (() => Uint8Array | null) | null },
    ): NoiseSecretStream;
    createServer(
      options: {
        relayThrough?: (() => Uint8Array | null) | null;
        firewall?: (remotePublicKey: Uint8Array) => boolean;
      },
      onConnection: (stream: NoiseSecretStream) => void,
    ): DhtServer;
    createRawStream(options: unknown): unknown;
    mutablePut(keyPair: KeyPair, value: Uint8Array, options: { seq: number }): Promise<{ seq: number }>;
    mutableGet(
      publicKey: Uint8Array,
      options?: { seq?: number; latest?: boolean },
    ): Promise<{ seq: number; value: Uint8Array } | null>;
    destroy(options?: { force?: boolean }): Promise<void>;
  }
}

declare module 'blind-relay' {
  import type NoiseSecretStream from '@hyperswarm/secret-stream';

  export class Server {
    constructor(options: { createStream: (options: Record<string, unknown>) => unknown });
    accept(
      stream: NoiseSecretStream,
      options: { id: Uint8Array },
    ): { on(event: 'error', listener: () => void): unknown };
    close(): Promise<void>;
  }
}
