import { eventIterator, oc } from '@orpc/contract';
import { z } from 'zod';

export const deviceSchema = z.object({
  id: z.string(),
  kind: z.enum(['gpu', 'cpu']),
  vendor: z.string(),
  model: z.string(),
  memoryBytes: z.number().nullable(),
  index: z.int(),
  driver: z.string().nullable(),
  computeCapability: z.string().nullable(),
  pciBusId: z.string().nullable(),
  mig: z.boolean(),
  cores: z.int().nullable(),
});

export const sampleSchema = z.object({
  deviceId: z.string(),
  atMs: z.number(),
  utilization: z.number().nullable(),
  memoryUsedBytes: z.number().nullable(),
  temperatureC: z.number().nullable(),
  fanPercent: z.number().nullable(),
  powerW: z.number().nullable(),
  powerLimitW: z.number().nullable(),
  clockSmMhz: z.number().nullable(),
  clockMemoryMhz: z.number().nullable(),
  pstate: z.string().nullable(),
  throttle: z.array(z.string()),
});

export const gpuContract = {
  list: oc
    .route({ method: 'GET', path: '/gpu', summary: 'Cards (or the processor) found on this computer' })
    .output(z.array(deviceSchema)),
  /** The newest reading of every device, about once a second; slow readers skip readings. */
  watch: oc.route({ method: 'GET', path: '/gpu/samples' }).output(eventIterator(z.array(sampleSchema))),
};
