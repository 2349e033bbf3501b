import { networkInterfaces } from 'node:os';
import { AppError } from '../shared/errors.ts';
import type { Bytes32 } from '../shared/ids.ts';
import { guardName, guardOptions, LABELS, WARM_PREFIX } from './create-options.ts';
import { statusOf } from './docker-errors.ts';
import { abortableNetwork } from './dockerode-gaps.ts';
import type { EngineLink, Log } from './engine-link.ts';
import { FIRST_PUBLISHED_PORT, guardScript, hostNetworksOf, WARM_PORTS, type GuardRules } from './guard-rules.ts';

/** A running guard: its network namespace waits for a rental, or serves one. */
export interface Guard {
  id: string;
  network: string;
  gateway: string;
  /** How many ports it publishes. */
  ports: number;
}

export interface GuardDemand {
  ports: readonly number[];
  internet: boolean;
  uploadBitsPerSecond: number | null;
}

/** Guards and their networks: made ahead of need, given to deals, removed with them. */
export interface Guards {
  /** A running guard with at least so many published ports and closed rules, from the warm ones or made now. */
  take(ports: number, signal?: AbortSignal): Promise<Guard>;
  /** Gives the guard to the deal by its name, so that it is found again. */
  assign(guard: Guard, dealId: Bytes32): Promise<void>;
  /** Opens what the deal may reach. Until then nothing passes. */
  open(guard: Guard, demand: GuardDemand): Promise<void>;
  /** Removes a guard and its network; idempotent. */
  remove(guardId: string): Promise<void>;
  /** Removes what a former life of this program left: warm guards, guards of no deal, networks of no guard. */
  sweep(dealIds: ReadonlySet<Bytes32>): Promise<void>;
  keepWarm(count: number): Promise<void>;
  /** Forgets the warm guards: the engine that had them is gone. */
  forget(): void;
  /** Removes the warm guards. */
  release(): Promise<void>;
}

const ignoring =
  (...statuses: number[]) =>
  (thrown: unknown): void => {
    const cause = thrown instanceof AppError ? thrown.cause : thrown;
    const status = statusOf(cause);
    if (status === null || !statuses.includes(status)) throw thrown;
  };

export function createGuards(
  link: EngineLink,
  options: { installId: string; newId: () => string; log: Log; beforeMaking: () => Promise<void> },
): Guards {
  const { installId, newId, log } = options;
  const warm: Guard[] = [];
  const discarding = new Set<Promise<void>>();
  let wanted = 0;
  let filling: Promise<void> | null = null;
  let generation = 0;

  async function make(ports: number, signal?: AbortSignal): Promise<Guard> {
    await options.beforeMaking();
    const name = `${WARM_PREFIX}${newId()}`;
    const network = `commonwatt-net-${newId()}`;
    const made = await link.call(
      (abortSignal) =>
        link.docker.createNetwork({
          Name: network,
          Driver: 'bridge',
          EnableIPv6: false,
          Labels: { [LABELS.install]: installId },
          Options: { 'com.docker.network.bridge.enable_icc': 'false' },
          abortSignal,
        }),
      { signal },
    );
    try {
      const details = (await link.call((abortSignal) => abortableNetwork(made).inspect({ abortSignal }))) as {
        IPAM?: { Config?: { Gateway?: string }[] };
      };
      const gateway = details.IPAM?.Config?.[0]?.Gateway?.split('/')[0];
      if (gateway === undefined) throw new AppError('internal', 'Docker made a network without a gateway.');
      const script = guardScript({ gateway, hostNetworks: [], ports: [], internet: false, uploadBitsPerSecond: null });
      const container = await link.call(
        (abortSignal) =>
          link.docker.createContainer({ ...guardOptions({ installId, name, network, ports, script }), abortSignal }),
        { signal },
      );
      await link.call((abortSignal) => container.start({ abortSignal }), { signal });
      return { id: container.id, network, gateway, ports };
    } catch (thrown) {
      await discard(name, network).catch((failure: unknown) =>
        log.warn({ failure }, 'A half-made guard could not be removed'),
      );
      throw thrown;
    }
  }

  async function discardNow(container: string, network: string): Promise<void> {
    await link
      .call((abortSignal) => link.docker.getContainer(container).remove({ force: true, v: true, abortSignal }))
      .catch(ignoring(404, 409));
    await link.call((abortSignal) => link.docker.getNetwork(network).remove({ abortSignal })).catch(ignoring(404));
  }

  /** The engine has few address ranges: a network without its guard shall not outlive this program. */
  function discard(container: string, network: string): Promise<void> {
    const discarded = discardNow(container, network).finally(() => discarding.delete(discarded));
    discarding.add(discarded);
    return discarded;
  }

  async function makeWanted(): Promise<void> {
    while (warm.length < wanted && link.facts !== null) {
      const mine = generation;
      const guard = await make(WARM_PORTS);
      if (mine === generation && warm.length < wanted) warm.push(guard);
      else if (mine === generation) await discard(guard.id, guard.network);
    }
  }

  function fill(): Promise<void> {
    if (filling) return filling;
    const all = makeWanted()
      .catch((failure: unknown) => log.warn({ failure }, 'No guard could be made ahead of need'))
      .finally(() => {
        filling = null;
      });
    filling = all;
    return all;
  }

  async function run(guardId: string, script: string): Promise<void> {
    const exec = await link.call((abortSignal) =>
      link.docker
        .getContainer(guardId)
        .exec({ Cmd: ['/bin/sh', '-c', script], AttachStdout: true, AttachStderr: true, abortSignal }),
    );
    const output = await link.call((abortSignal) => exec.start({ abortSignal }));
    const said: Buffer[] = [];
    for await (const bytes of output as AsyncIterable<Buffer>) if (said.length < 16) said.push(bytes);
    const { ExitCode: exitCode } = await link.call((abortSignal) => exec.inspect({ abortSignal }));
    if (exitCode !== 0) {
      const cause = new Error(Buffer.concat(said).toString().slice(0, 2000));
      throw new AppError('unsupported', 'The rules that close your network to renters could not be set.', {
        cause,
        next: 'Check that the kernel Docker runs on supports nftables.',
      });
    }
  }

  return {
    async take(ports, signal) {
      while (ports <= WARM_PORTS) {
        const guard = warm.shift();
        if (guard === undefined) break;
        // Somebody may have stopped it meanwhile.
        const state = await link
          .call((abortSignal) => link.docker.getContainer(guard.id).inspect({ abortSignal }), { signal })
          .catch(() => null);
        if (state?.State.Running === true) return guard;
        await discard(guard.id, guard.network);
      }
      return make(ports, signal);
    },
    async assign(guard, dealId) {
      await link.call((abortSignal) =>
        link.docker.getContainer(guard.id).rename({ name: guardName(dealId), abortSignal }),
      );
    },
    async open(guard, demand) {
      const rules: GuardRules = {
        ...demand,
        gateway: guard.gateway,
        hostNetworks: hostNetworksOf(networkInterfaces()),
      };
      await run(guard.id, guardScript(rules));
    },
    async remove(guardId) {
      const found = await link
        .call((abortSignal) => link.docker.getContainer(guardId).inspect({ abortSignal }))
        .catch(ignoring(404));
      if (!found || found.Config.Labels[LABELS.install] !== installId) return;
      await discard(found.Id, found.Config.Labels[LABELS.network] ?? found.HostConfig.NetworkMode ?? '');
      if (wanted > warm.length) void fill();
    },
    async sweep(dealIds) {
      const mine = JSON.stringify({ label: [`${LABELS.install}=${installId}`, `${LABELS.role}=guard`] });
      const guards = await link.call((abortSignal) =>
        link.docker.listContainers({ all: true, filters: mine, abortSignal }),
      );
      const names = new Set([...dealIds].map(guardName));
      const warmIds = new Set(warm.map((guard) => guard.id));
      const keep = new Set<string>();
      for (const guard of guards) {
        const network = guard.Labels[LABELS.network] ?? '';
        if (warmIds.has(guard.Id) || guard.Names.some((name) => names.has(name.replace(/^\//, '')))) keep.add(network);
        else await discard(guard.Id, network);
      }
      const networks = await link.call((abortSignal) =>
        link.docker.listNetworks({
          filters: JSON.stringify({ label: [`${LABELS.install}=${installId}`] }),
          abortSignal,
        }),
      );
      for (const network of networks) {
        if (!keep.has(network.Name)) {
          await link
            .call((abortSignal) => link.docker.getNetwork(network.Id).remove({ abortSignal }))
            .catch(ignoring(404, 403));
        }
      }
    },
    async keepWarm(count) {
      wanted = Math.max(0, Math.min(64, Math.floor(count)));
      while (warm.length > wanted) {
        const guard = warm.pop();
        if (guard) await discard(guard.id, guard.network);
      }
      await fill();
    },
    forget() {
      generation += 1;
      warm.length = 0;
    },
    async release() {
      wanted = 0;
      await filling;
      for (const guard of warm.splice(0)) await discard(guard.id, guard.network);
      await Promise.allSettled(discarding);
    },
  };
}

/** Container port -> port on 127.0.0.1, from the guard's published ports and the spec's, in order. */
export function publishedPorts(
  bindings: Record<string, { HostPort: string }[] | null> | undefined,
  ports: readonly number[],
): Map<number, number> {
  const found = new Map<number, number>();
  ports.forEach((port, i) => {
    const host = Number(bindings?.[`${FIRST_PUBLISHED_PORT + i}/tcp`]?.[0]?.HostPort);
    if (Number.isInteger(host) && host > 0 && host <= 65_535) found.set(port, host);
  });
  return found;
}
