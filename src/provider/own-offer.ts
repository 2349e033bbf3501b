import { z } from 'zod';
import type { OfferFields } from '../chain/events.ts';
import { AppError } from '../shared/errors.ts';
import type { Device } from '../shared/gpu.ts';
import type { Address, Bytes32 } from '../shared/ids.ts';
import { GIB } from '../shared/units.ts';

/** What the owner asked for; kept in the ledger so that a restart shares the same thing. */
export const ownOfferSchema = z.object({
  deviceIds: z.array(z.string()).min(1),
  /** Decimal string in the token's smallest unit. */
  price: z.string().regex(/^[1-9]\d*$/),
  unit: z.union([z.literal(60), z.literal(3600), z.literal(86_400)]),
  token: z.string(),
  region: z.string(),
  features: z.array(z.string()),
  minSeconds: z.int(),
  endsBy: z.int(),
  limits: z.object({
    cpus: z.number(),
    memoryBytes: z.number(),
    diskBytes: z.number(),
    uploadBitsPerSecond: z.number().nullable(),
  }),
});
export type OwnOfferParams = z.infer<typeof ownOfferSchema>;

const MAX_LEAD_SECONDS = 10 * 365 * 86_400;

/**
 * The devices behind one unit.
 * @throws AppError bad-input for an unknown device or a mix of models: one offer describes one kind of card.
 */
export function devicesOf(params: Pick<OwnOfferParams, 'deviceIds'>, devices: readonly Device[]): Device[] {
  const chosen = params.deviceIds.map((id) => {
    const device = devices.find((candidate) => candidate.id === id);
    if (device) return device;
    throw new AppError('bad-input', `This computer has no device ${id.slice(0, 80)}.`, {
      field: 'offer.deviceIds',
      next: 'List the devices and choose among them.',
    });
  });
  const models = new Set(chosen.map((device) => `${device.kind} ${device.vendor} ${device.model}`));
  if (models.size > 1) {
    throw new AppError('bad-input', 'One offer holds cards of one model.', {
      field: 'offer.deviceIds',
      next: 'Make one offer per model.',
    });
  }
  if (new Set(params.deviceIds).size !== params.deviceIds.length) {
    throw new AppError('bad-input', 'A device is named twice.', { field: 'offer.deviceIds' });
  }
  return chosen;
}

/** The public description on chain. Says "CPU" where there is no card, so that nobody rents a processor by mistake. */
export function offerFields(
  params: OwnOfferParams,
  devices: readonly Device[],
  {
    now,
    provider,
    peerKey,
    providerSigner,
  }: { now: number; provider: Address; peerKey: Bytes32; providerSigner: Address },
): OfferFields {
  if (params.endsBy <= now + 60) {
    throw new AppError('bad-input', 'The offer must end in the future.', { field: 'offer.endsBy' });
  }
  if (params.endsBy > now + MAX_LEAD_SECONDS) {
    throw new AppError('bad-input', 'The offer must end within ten years.', { field: 'offer.endsBy' });
  }
  const chosen = devicesOf(params, devices);
  const [first] = chosen as [Device];
  const memoryBytes = first.memoryBytes ?? params.limits.memoryBytes;
  return {
    provider,
    gpuType: first.kind === 'cpu' ? 'CPU' : first.vendor,
    gpuModel: first.model,
    gpuCount: chosen.length,
    gpuMemoryGb: Math.max(1, Math.round((first.kind === 'cpu' ? params.limits.memoryBytes : memoryBytes) / GIB)),
    price: BigInt(params.price),
    unit: params.unit,
    token: params.token as Address,
    region: params.region,
    features: params.features,
    peerKey,
    providerSigner,
    endsBy: params.endsBy,
    minSeconds: params.minSeconds,
    units: 1,
  };
}

/** Whether what stands on chain is already what the owner asks for. */
export const sameOffer = (a: OfferFields, b: OfferFields): boolean =>
  a.gpuType === b.gpuType &&
  a.gpuModel === b.gpuModel &&
  a.gpuCount === b.gpuCount &&
  a.gpuMemoryGb === b.gpuMemoryGb &&
  a.price === b.price &&
  a.unit === b.unit &&
  a.token === b.token &&
  a.region === b.region &&
  a.features.join('\n') === b.features.join('\n') &&
  a.peerKey === b.peerKey &&
  a.providerSigner === b.providerSigner &&
  a.endsBy === b.endsBy &&
  a.minSeconds === b.minSeconds &&
  a.units === b.units;
