import type { ApiOutputs, Status } from '../../api/contract.ts';
import type { ApiServices } from '../../api/services.ts';
import { Emitter } from '../../shared/emitter.ts';
import type { Notification } from '../../store/ledger.ts';
import { shareFromState } from './share.ts';
import { newest } from './newest.ts';
import type { Rooms } from '../rooms.ts';

export function systemServices(rooms: Rooms): ApiServices['system'] {
  const changed = new Emitter<void>();
  const poke = () => changed.emit();
  rooms.chain.sync.on(poke);
  rooms.wallet.status.on(poke);
  rooms.line.on(poke);
  rooms.sharing.state.on(poke);
  rooms.engine.onChange(poke);
  let feeBps = 0;
  let feeRead = false;

  const status = async (): Promise<Status> => {
    const { chain, engine } = rooms;
    const { profile, sync } = chain;
    if (!feeRead) {
      feeBps = await chain.reads.feeBps().catch(() => 0);
      feeRead = feeBps > 0;
    }
    const { link, state, connections } = rooms.line.value;
    const sharing = shareFromState(rooms);
    return {
      version: rooms.version,
      dataDir: rooms.dataDir,
      pid: process.pid,
      startedAt: rooms.startedAt,
      network: {
        name: profile.name,
        chainId: profile.chainId,
        practice: profile.practice,
        state: sync.value.state,
        detail: sync.value.detail,
        headBlock: sync.value.head?.block ?? 0,
        progress: sync.value.progress,
        tokens: [...profile.tokens],
        explorer: profile.explorer,
        feeBps,
        joinUrl: rooms.practice?.joinUrl ?? null,
      },
      wallet: walletView(rooms),
      engine: {
        state: engine.info ? 'up' : 'down',
        version: engine.info?.version ?? null,
        detail: engine.info ? `Docker ${engine.info.version}` : 'The Docker engine does not answer.',
      },
      peer: {
        peerKey: link?.peerKey ?? '',
        state,
        endpoints: (link?.endpoints ?? []).map(({ host, port }) => ({ host, port })),
        connections,
      },
      sharing: { state: sharing.state, activeRentals: sharing.rentals.length },
    };
  };

  return {
    status,
    async *watch(_input, { signal }) {
      for await (const _ of newest(changed, signal)) yield await status();
    },
    checks: async () => [...(await rooms.engine.checks()), ...(await rooms.checks())],
    notifications: async () => rooms.ledger.notifications.list(100).map(notificationView),
    async *watchNotifications(_input, { signal }) {
      const queue: Notification[] = [];
      const arrived = new Emitter<void>();
      const off = rooms.notified.on((notification) => {
        if (queue.push(notification) > 100) queue.shift();
        arrived.emit();
      });
      try {
        for await (const _ of newest(arrived, signal)) {
          for (const notification of queue.splice(0)) yield notificationView(notification);
        }
      } finally {
        off();
      }
    },
    shutdown: async () => {
      setImmediate(() => rooms.shutdown());
      return { ok: true };
    },
  };
}

export function walletView({ wallet, chain }: Pick<Rooms, 'wallet' | 'chain'>): Status['wallet'] {
  const { exists, locked, address, backedUp } = wallet.status.value;
  return { exists, locked, address, backedUp, practice: chain.profile.practice };
}

const notificationView = ({
  leaseId,
  taskId,
  ...rest
}: Notification): ApiOutputs['system']['notifications'][number] => ({
  ...rest,
  rentalId: leaseId,
  taskId: taskId ?? null,
});
