import os from 'node:os';
import type { ApiOutputs, ShareStatus } from '../../api/contract.ts';
import type { ApiServices } from '../../api/services.ts';
import { AppError } from '../../shared/errors.ts';
import { Emitter } from '../../shared/emitter.ts';
import type { Device } from '../../shared/gpu.ts';
import { ETH } from '../../shared/ids.ts';
import { GIB } from '../../shared/units.ts';
import type { OwnOfferParams } from '../../provider/own-offer.ts';
import { newest } from './newest.ts';
import { offerView } from './market.ts';
import type { Rooms } from '../rooms.ts';

/** A starting price where the market has nothing to compare with: an hour, in hundredths of a dollar. */
const START_CENTS = { cpu: 4, gpu: 20 } as const;
const OFFER_DAYS = 90;

export function shareServices(rooms: Rooms): ApiServices['share'] {
  const changed = new Emitter<void>();
  rooms.sharing.state.on(() => changed.emit());
  rooms.dealChanged.on((deal) => {
    if (deal.role === 'provider') changed.emit();
  });
  const status = (): ShareStatus => shareFromState(rooms);
  return {
    status: async () => status(),
    async *watch(_input, { signal }) {
      for await (const _ of newest(changed, signal, 200)) yield status();
    },
    suggest: () => suggest(rooms),
    start: ({ commandId, offer }) =>
      rooms.ledger.commands.once(commandId, 'share.start', async () => {
        const limits = offer.limits ?? defaultLimits(rooms);
        const offerId = await rooms.sharing.start({ ...offer, limits } satisfies OwnOfferParams);
        return { offerId, status: 'GPU offer successfully registered' };
      }),
    stop: async ({ rentals }) => {
      await rooms.sharing.stop(rentals);
      return status();
    },
    snooze: async ({ seconds }) => {
      await rooms.sharing.snooze(seconds);
      return status();
    },
  };
}

export function shareFromState(rooms: Rooms): ShareStatus {
  const { sharing, deals, chain, ledger, wallet } = rooms;
  const { state, detail, snoozedUntil, offerId } = sharing.state.value;
  const offer = offerId ? chain.offer(offerId) : null;
  const account = wallet.status.value.address;
  const earned = account
    ? ledger.movements.sum({ chainId: chain.profile.chainId, account, kinds: ['earned', 'fee'] })
    : new Map<`0x${string}`, bigint>();
  return {
    state,
    detail,
    snoozedUntil,
    offer: offer && offerView(rooms, offer),
    rentals: deals.active().map((deal) => deal.leaseId),
    earned: [...earned].map(([token, amount]) => ({ token, amount: `${amount > 0n ? amount : 0n}` })),
  };
}

/** What this computer could offer: its strongest device, at the market's median for that model where there is one. */
async function suggest(rooms: Rooms): Promise<ApiOutputs['share']['suggest']> {
  const { chain, gpus, sharing } = rooms;
  const device = gpus.devices.toSorted((a, b) => rank(b) - rank(a))[0];
  if (!device)
    throw new AppError('not-found', 'No device was found on this computer.', { next: 'Look for devices again.' });
  const token =
    chain.profile.tokens.find((known) => known.address !== ETH && known.decimals <= 8) ?? chain.profile.tokens[0];
  if (!token) throw new AppError('internal', 'This network names no payment token.');
  const market = await chain.search({
    text: `"${device.model.replaceAll('"', '')}"`,
    sort: 'price',
    descending: false,
    limit: 500,
  });
  const hourly = market.offers
    .filter((offer) => offer.token === token.address && offer.gpuModel === device.model)
    .map((offer) => (offer.price * 3600n) / BigInt(offer.unit))
    .toSorted((a, b) => (a < b ? -1 : 1));
  const median = hourly[Math.floor(hourly.length / 2)];
  const start = (BigInt(START_CENTS[device.kind]) * 10n ** BigInt(token.decimals)) / 100n;
  const last = sharing.params;
  const offer = last ?? {
    deviceIds: gpus.devices
      .filter((other) => other.model === device.model && other.kind === device.kind)
      .map(({ id }) => id),
    price: `${median && median > 0n ? median : start > 0n ? start : 1n}`,
    unit: 3600 as const,
    token: token.address,
    region: Intl.DateTimeFormat().resolvedOptions().timeZone.split('/')[0] || 'Earth',
    features: device.kind === 'gpu' && device.vendor === 'NVIDIA' ? ['CUDA'] : [],
    minSeconds: 60,
    endsBy: rooms.clock.now() + OFFER_DAYS * 86_400,
    limits: defaultLimits(rooms),
  };
  const priceReason = last
    ? 'What you asked for last time.'
    : median
      ? `The middle of ${hourly.length} offers of this model on the market now.`
      : 'Nobody offers this model now; a low price to start with. Change it as you like.';
  return { offer: { ...offer, token: token.address }, priceReason, marketOffers: hourly.length };
}

const rank = (device: Device): number => (device.kind === 'gpu' ? 1e15 : 0) + (device.memoryBytes ?? 0);

/** Half of the memory and all but one core stay with the owner's own programs. */
function defaultLimits({ engine }: Rooms): OwnOfferParams['limits'] {
  const free = engine.info?.diskFreeBytes ?? 50 * GIB;
  return {
    cpus: Math.max(1, os.availableParallelism() - 1),
    memoryBytes: Math.max(GIB, Math.floor(os.totalmem() / 2)),
    // Owner first: at most min(100 GB, 20 % of what is free).
    diskBytes: Math.max(GIB, Math.min(100 * GIB, Math.floor(free / 5))),
    uploadBitsPerSecond: null,
  };
}
