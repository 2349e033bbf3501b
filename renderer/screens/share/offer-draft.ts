import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { ApiInputs, ApiOutputs } from '../../../src/api/contract.ts';
import { AppError, toAppError } from '../../../src/shared/errors.ts';
import { formatAmount, parseAmount, type Token } from '../../../src/shared/money.ts';
import { systemClock } from '../../../src/shared/time.ts';
import { GIB } from '../../../src/shared/units.ts';
import { useApi } from '../../state/host.ts';
import { useNetwork } from '../../state/status.ts';

export type OfferInput = ApiInputs['share']['start']['offer'];
type Suggestion = ApiOutputs['share']['suggest'];

/** The price form as typed: text until it is sent. */
export interface OfferFields {
  deviceIds: string[];
  price: string;
  unit: 60 | 3600 | 86_400;
  token: string;
  region: string;
  /** Days from now. */
  days: string;
  cpus: string;
  memoryGib: string;
  diskGib: string;
  /** Empty: no limit. */
  uploadMbit: string;
}

export interface OfferDraft {
  fields: OfferFields | null;
  suggestion: Suggestion | undefined;
  loading: boolean;
  error: unknown;
  set: (change: Partial<OfferFields>) => void;
  reset: () => void;
  /** @throws AppError naming the field that is wrong. */
  build: (now: number) => OfferInput;
  /** What is wrong by field, in words. */
  problems: Partial<Record<keyof OfferFields, string>>;
  token: Token | undefined;
}

const DAY = 86_400;

export function fieldsOf(offer: OfferInput, token: Token, now: number): OfferFields {
  return {
    deviceIds: offer.deviceIds,
    price: formatAmount(BigInt(offer.price), token.decimals),
    unit: offer.unit,
    token: offer.token,
    region: offer.region,
    days: String(Math.max(1, Math.round((offer.endsBy - now) / DAY))),
    cpus: offer.limits === undefined ? '' : String(offer.limits.cpus),
    memoryGib: offer.limits === undefined ? '' : String(Math.round((offer.limits.memoryBytes / GIB) * 10) / 10),
    diskGib: offer.limits === undefined ? '' : String(Math.round((offer.limits.diskBytes / GIB) * 10) / 10),
    uploadMbit:
      offer.limits?.uploadBitsPerSecond == null ? '' : String(Math.round(offer.limits.uploadBitsPerSecond / 1e5) / 10),
  };
}

const bad = (field: keyof OfferFields, message: string) => new AppError('bad-input', message, { field });

function positive(text: string, field: keyof OfferFields, message: string, { min = 0, max = 1e9 } = {}): number {
  const value = Number(text);
  if (!/^\d{1,9}(\.\d{1,4})?$/.test(text.trim()) || value <= min || value > max) throw bad(field, message);
  return value;
}

/** One check per field, so that all that is wrong can be shown at once. */
export const FIELD_CHECKS: Partial<Record<keyof OfferFields, (fields: OfferFields, token: Token) => unknown>> = {
  deviceIds: ({ deviceIds }) => {
    if (deviceIds.length === 0) throw bad('deviceIds', 'Choose at least one device.');
  },
  price: ({ price }, token) => {
    if (parseAmount(price, token.decimals, 'The price') === 0n) throw bad('price', 'The price must be more than zero.');
  },
  region: ({ region }) => {
    if (region.trim() === '' || region.trim().length > 64)
      throw bad('region', 'Say where this computer is, such as EU.');
  },
  days: ({ days }) => positive(days, 'days', 'Whole days from 1 to 365.', { max: 365 }),
  cpus: ({ cpus }) => (cpus === '' ? 0 : positive(cpus, 'cpus', 'Processor cores from 0.1 to 256.', { max: 256 })),
  memoryGib: ({ memoryGib }) =>
    memoryGib === '' ? 0 : positive(memoryGib, 'memoryGib', 'At least 0.1 GiB.', { min: 0.06 }),
  diskGib: ({ diskGib }) => (diskGib === '' ? 0 : positive(diskGib, 'diskGib', 'At least 0.1 GiB.', { min: 0.06 })),
  uploadMbit: ({ uploadMbit }) =>
    uploadMbit === ''
      ? 0
      : positive(uploadMbit, 'uploadMbit', 'At least 0.1 Mbit/s, or empty for no limit.', { min: 0.09 }),
};

/** @throws AppError naming the first wrong field. */
export function buildOffer(fields: OfferFields, token: Token, base: OfferInput, now: number): OfferInput {
  for (const check of Object.values(FIELD_CHECKS)) check(fields, token);
  const wanted = fields.cpus !== '' && fields.memoryGib !== '' && fields.diskGib !== '';
  const { limits: _, ...rest } = base;
  return {
    ...rest,
    deviceIds: fields.deviceIds,
    price: parseAmount(fields.price, token.decimals, 'The price').toString(),
    unit: fields.unit,
    token: token.address,
    region: fields.region.trim(),
    endsBy: now + Math.round(Number(fields.days) * DAY),
    ...(wanted
      ? {
          limits: {
            cpus: Number(fields.cpus),
            memoryBytes: Math.round(Number(fields.memoryGib) * GIB),
            diskBytes: Math.round(Number(fields.diskGib) * GIB),
            uploadBitsPerSecond: fields.uploadMbit === '' ? null : Math.round(Number(fields.uploadMbit) * 1e6),
          },
        }
      : {}),
  };
}

function problemsOf(fields: OfferFields, token: Token): OfferDraft['problems'] {
  const problems: OfferDraft['problems'] = {};
  for (const [name, check] of Object.entries(FIELD_CHECKS)) {
    try {
      check(fields, token);
    } catch (thrown) {
      problems[name as keyof OfferFields] = toAppError(thrown).message;
    }
  }
  return problems;
}

/** The offer about to be published: the suggestion, with what the owner changed. */
export function useOfferDraft(): OfferDraft {
  const tokens = useNetwork()?.tokens ?? [];
  const suggest = useQuery(useApi().share.suggest.queryOptions({ staleTime: 60_000 }));
  const [changes, setChanges] = useState<Partial<OfferFields>>({});
  const [openedAt] = useState(() => systemClock.now());
  const suggestion = suggest.data;
  const address = changes.token ?? suggestion?.offer.token;
  const token = tokens.find((known) => known.address === address);
  const suggestedToken = tokens.find((known) => known.address === suggestion?.offer.token);
  const fields =
    suggestion && suggestedToken ? { ...fieldsOf(suggestion.offer, suggestedToken, openedAt), ...changes } : null;
  return {
    fields,
    suggestion,
    loading: suggest.isPending,
    error: suggest.error,
    token,
    set: (change) => setChanges((old) => ({ ...old, ...change })),
    reset: () => setChanges({}),
    problems: fields && token ? problemsOf(fields, token) : {},
    build: (now) => {
      if (!suggestion || !fields || !token) {
        throw new AppError('bad-input', 'The offer is not ready yet.', {
          next: 'Wait for the suggestion, or look at the ready checks.',
        });
      }
      return buildOffer(fields, token, suggestion.offer, now);
    },
  };
}
