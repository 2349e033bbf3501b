import type { Rental } from '../../api/contract.ts';
import type { ApiServices } from '../../api/services.ts';
import { forwardPort } from '../../peer/tunnel.ts';
import { Emitter } from '../../shared/emitter.ts';
import { AppError } from '../../shared/errors.ts';
import type { Bytes32 } from '../../shared/ids.ts';
import type { Deal } from '../../store/ledger.ts';
import type { Rooms } from '../rooms.ts';
import { newest } from './newest.ts';
import { rentalView, type Live } from './rental-view.ts';
import type { Sessions } from './sessions.ts';

interface Forward {
  containerPort: number;
  localPort: number;
  connections: number;
  close(): Promise<void>;
}

export function rentalsServices(rooms: Rooms, sessions: Sessions): ApiServices['rentals'] {
  const { ledger, chain, rentals, deals, dealChanged } = rooms;
  const forwards = new Map<Bytes32, Map<number, Forward>>();

  const live = (deal: Deal): Live | null => {
    if (deal.phase === 'closed') return null;
    const open = [...(forwards.get(deal.leaseId)?.values() ?? [])];
    if (deal.role === 'renter') {
      const rented = rentals.find(deal.leaseId);
      return {
        servedSeconds: rented?.servedSeconds ?? deal.servedSeconds,
        connection: rented?.connection ?? null,
        progress: rented?.progress ?? null,
        forwards: open.map(({ containerPort, localPort, connections }) => ({ containerPort, localPort, connections })),
      };
    }
    const served = deals.get(deal.leaseId);
    return {
      servedSeconds: served?.servedSeconds ?? deal.servedSeconds,
      connection: deals.connected(deal.leaseId),
      progress: served?.progress ?? null,
      forwards: [],
    };
  };
  const view = (deal: Deal): Rental => rentalView(deal, live(deal), chain);
  const find = (rentalId: Bytes32): Deal => {
    const deal = ledger.deals.get(rentalId, 'renter') ?? ledger.deals.get(rentalId, 'provider');
    if (deal) return deal;
    throw new AppError('not-found', 'This host knows no such rental.', {
      field: 'rentalId',
      next: 'List your rentals and take the id from there.',
    });
  };
  const closeForwards = async (rentalId: Bytes32) => {
    const open = forwards.get(rentalId);
    forwards.delete(rentalId);
    await Promise.all([...(open?.values() ?? [])].map((forward) => forward.close()));
  };
  dealChanged.on((deal) => {
    if (deal.phase === 'closed' && forwards.has(deal.leaseId)) void closeForwards(deal.leaseId);
  });

  return {
    open: ({ commandId, offerId, seconds, spec, offerVersion }, { signal }) =>
      ledger.commands.once(commandId, 'rentals.open', async () => {
        const rentalId = await rentals.open({ commandId, offerId, seconds, spec, offerVersion }, signal);
        return { rentalId, status: 'GPU rental confirmed' };
      }),
    list: async ({ role, open, limit }) =>
      ledger.deals
        .list({ ...(role === undefined ? {} : { role }), ...(open === undefined ? {} : { open }), limit })
        .map(view),
    get: async ({ rentalId }) => view(find(rentalId)),
    async *watch({ rentalId }, { signal }) {
      find(rentalId);
      const changed = new Emitter<void>();
      const off = dealChanged.on((deal) => {
        if (deal.leaseId === rentalId) changed.emit();
      });
      try {
        for await (const _ of newest(changed, signal)) yield view(find(rentalId));
      } finally {
        off();
      }
    },
    async *watchList(_input, { signal }) {
      const changed = new Emitter<void>();
      const off = dealChanged.on(() => changed.emit());
      try {
        for await (const _ of newest(changed, signal, 250)) yield ledger.deals.list({ limit: 100 }).map(view);
      } finally {
        off();
      }
    },
    extend: async ({ rentalId, commandId, seconds }) => {
      await rentals.extend(rentalId, seconds, commandId);
      return view(find(rentalId));
    },
    terminate: async ({ rentalId }, { signal }) => {
      const deal = find(rentalId);
      if (deal.role === 'provider') await deals.get(rentalId)?.end('The owner ended the rental.');
      else if (deal.phase !== 'closed') await rentals.get(rentalId).end(signal);
      const rental = view(find(rentalId));
      const status = rental.settlement ? 'Rental terminated successfully' : 'Rental is ending';
      return { status, billingAmount: rental.settlement?.paid ?? rental.spent, rental };
    },
    async *terminal({ rentalId, cols, rows, command }, { signal }) {
      const stream = await rentals.get(rentalId).openStream('deal.terminal', {
        cols,
        rows,
        ...(command?.length ? { command } : {}),
      });
      yield* sessions.frames(stream, false, signal);
    },
    async *exec({ rentalId, command }, { signal }) {
      const stream = await rentals.get(rentalId).openStream('deal.exec', { command });
      yield* sessions.frames(stream, true, signal);
    },
    async *logs({ rentalId, follow, tail }, { signal }) {
      const stream = await rentals.get(rentalId).openStream('deal.logs', { follow, tail });
      yield* sessions.frames(stream, true, signal);
    },
    ack: async ({ sessionId, seq }) => {
      sessions.ack(sessionId, seq);
      return { ok: true };
    },
    input: async ({ sessionId, base64, end }) => {
      await sessions.input(sessionId, base64, end);
      return { ok: true };
    },
    resize: async ({ sessionId, cols, rows }) => {
      await sessions.resize(sessionId, cols, rows);
      return { ok: true };
    },
    closeSession: async ({ sessionId }) => {
      sessions.close(sessionId);
      return { ok: true };
    },
    forward: async ({ rentalId, containerPort, localPort }) => {
      const rental = rentals.get(rentalId);
      const ports = rental.deal.spec?.ports ?? [];
      if (!ports.includes(containerPort)) {
        throw new AppError('bad-input', `Port ${containerPort} was not named when this machine was rented.`, {
          field: 'containerPort',
          next: `Use one of: ${ports.join(', ') || 'none (name ports when you rent)'}.`,
        });
      }
      const open = forwards.get(rentalId) ?? new Map<number, Forward>();
      forwards.set(rentalId, open);
      const known = open.get(containerPort);
      if (known) return shown(known);
      const entry: Forward = { containerPort, localPort: 0, connections: 0, close: async () => {} };
      open.set(containerPort, entry);
      try {
        const listening = await forwardPort({
          listenHost: '127.0.0.1',
          listenPort: localPort,
          open: async () => {
            const stream = await rental.openStream('deal.tunnel', { port: containerPort });
            entry.connections += 1;
            dealChanged.emit(rental.deal);
            void stream.closed.then(() => {
              entry.connections -= 1;
              dealChanged.emit(rental.deal);
            });
            return stream;
          },
        });
        entry.localPort = listening.port;
        entry.close = () => listening.close();
      } catch (thrown) {
        open.delete(containerPort);
        throw thrown;
      }
      dealChanged.emit(rental.deal);
      return shown(entry);
    },
    closeForward: async ({ rentalId, containerPort }) => {
      const forward = forwards.get(rentalId)?.get(containerPort);
      forwards.get(rentalId)?.delete(containerPort);
      await forward?.close();
      dealChanged.emit(find(rentalId));
      return { ok: true };
    },
  };
}

const shown = ({ containerPort, localPort, connections }: Forward) => ({ containerPort, localPort, connections });
