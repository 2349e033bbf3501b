import HyperDHT from 'hyperdht';

/** Peers that look for each other through it name `bootstrap`. */
export interface PracticeDht {
  readonly bootstrap: { host: string; port: number }[];
  close(): Promise<void>;
}

/** Three nodes answer with a quorum; the fourth lets one restart. */
const NODES = 4;

/**
 * A DHT of its own inside this computer, for the practice network. The first node listens on `port` when that is free
 * (0: any), the others anywhere.
 */
export async function startPracticeDht({ host, port = 0 }: { host: string; port?: number }): Promise<PracticeDht> {
  const first = new HyperDHT({ ephemeral: false, firewalled: false, bootstrap: [], host, port });
  await first.fullyBootstrapped();
  const bootstrap = [{ host, port: first.address().port }];
  const others = Array.from(
    { length: NODES - 1 },
    () => new HyperDHT({ ephemeral: false, firewalled: false, bootstrap, host }),
  );
  await Promise.all(others.map((node) => node.fullyBootstrapped()));
  const nodes = [first, ...others];
  return {
    bootstrap,
    async close() {
      await Promise.all(nodes.map((node) => node.destroy()));
    },
  };
}
