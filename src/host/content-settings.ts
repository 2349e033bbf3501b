import { z } from 'zod';
import { AppError } from '../shared/errors.ts';
import { GIB } from '../shared/units.ts';
import type { Ledger } from '../store/ledger.ts';

/** The owner's own IPFS gateways, in order, as a list of URLs. */
const GATEWAYS = 'ipfs.gateways';
/** Most bytes that content may take on disk, where the owner has said so. */
const CONTENT_LIMIT = 'content.limitBytes';
/** Owner first: at most 100 GB, and a fifth of what is free. */
const MOST_UNASKED = 100 * GIB;
const SHARE_OF_FREE = 5;

/** How much of the disk inputs and results may take, and where content may come from besides the other side of a job. */
export interface ContentSettings {
  limitBytes(): number;
  /** URLs without a path, in order. What they answer is compared with its address, so none of them has to be trusted. */
  gateways(): readonly string[];
  /** @throws AppError conflict where the environment names the gateways */
  set(change: { limitBytes?: number | undefined; gateways?: readonly string[] | undefined }): void;
}

/** @param freeBytes on the disk as the host starts @throws AppError bad-input for what the environment names */
export function contentSettings(settings: Ledger['settings'], freeBytes: number): ContentSettings {
  const unasked = Math.max(GIB, Math.min(MOST_UNASKED, Math.floor(freeBytes / SHARE_OF_FREE)));
  const named = namedGateways();
  return {
    limitBytes: () => Number(settings.get(CONTENT_LIMIT) ?? unasked),
    gateways() {
      const stored = settings.get(GATEWAYS);
      return named ?? (Array.isArray(stored) ? stored.filter((one) => typeof one === 'string') : []);
    },
    set({ limitBytes, gateways }) {
      if (gateways !== undefined && named !== null) {
        throw new AppError('conflict', 'COMMONWATT_IPFS_GATEWAYS names the gateways of this host.', {
          field: 'gateways',
          next: 'Start the host without that variable.',
        });
      }
      if (limitBytes !== undefined) settings.set(CONTENT_LIMIT, limitBytes);
      if (gateways !== undefined) settings.set(GATEWAYS, [...gateways]);
    },
  };
}

/**
 * `COMMONWATT_IPFS_GATEWAYS=http://127.0.0.1:8080,https://gateway.example`: gateways in order, instead of the stored ones;
 * null where it says nothing.
 * @throws AppError bad-input
 */
function namedGateways(): readonly string[] | null {
  const names = (process.env['COMMONWATT_IPFS_GATEWAYS'] ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const wrong = names.find((name) => !z.url({ protocol: /^https?$/ }).safeParse(name).success);
  if (wrong !== undefined) {
    throw new AppError('bad-input', `${wrong.slice(0, 200)} is not the address of an IPFS gateway.`, {
      field: 'COMMONWATT_IPFS_GATEWAYS',
      next: 'Write addresses such as http://127.0.0.1:8080, with commas between them.',
    });
  }
  return names.length === 0 ? null : names;
}
