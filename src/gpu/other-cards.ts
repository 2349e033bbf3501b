import { graphics } from 'systeminformation';
import type { Systeminformation } from 'systeminformation';
import type { Device } from '../shared/gpu.ts';
import { MIB } from '../shared/units.ts';

export type ReadControllers = () => Promise<
  Pick<Systeminformation.GraphicsControllerData, 'vendor' | 'model' | 'vram'>[]
>;

/** Blocks the event loop for up to a third of a second: at the start and on demand, never on an interval. */
export const readControllers: ReadControllers = async () => (await graphics()).controllers;

const VENDORS: readonly (readonly [pattern: RegExp, vendor: string])[] = [
  [/intel/i, 'Intel'],
  [/apple/i, 'Apple'],
  [/amd|ati\b|advanced micro/i, 'AMD'],
];

/**
 * Cards of makers without a tool of their own here. They are shown, but have no readings. NVIDIA's are left out (its own
 * tool knows better), and AMD's where ROCm answered.
 */
export async function findOtherCards(read: ReadControllers, amdKnown: boolean): Promise<Device[]> {
  const controllers = await read().catch(() => []);
  return controllers.flatMap(({ vendor: maker, model, vram }, index) => {
    const vendor = VENDORS.find(([pattern]) => pattern.test(`${maker} ${model}`))?.[1];
    if (!vendor || (vendor === 'AMD' && amdKnown) || model === '') return [];
    return [
      {
        id: `${vendor.toLowerCase()}-${index}`,
        kind: 'gpu',
        vendor,
        model: model.replace(new RegExp(`^${vendor}(\\(R\\))?\\s+`, 'i'), ''),
        memoryBytes: typeof vram === 'number' && vram > 0 ? vram * MIB : null,
        index,
        driver: null,
        computeCapability: null,
        pciBusId: null,
        mig: false,
        cores: null,
      } satisfies Device,
    ];
  });
}
