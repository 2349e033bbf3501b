import { createTanstackQueryUtils } from '@orpc/tanstack-query';
import { useMemo } from 'react';
import type { ApiClient } from '../../src/api/contract.ts';
import { AppError } from '../../src/shared/errors.ts';
import { useLine } from './host-connection.ts';

const missing = () => new AppError('host-down', 'The window is still connecting to Commonwatt.');

/** Stands in until the first line exists: every call fails like a lost one. */
const noClient: ApiClient = new Proxy(() => undefined, {
  get: (_target, key): unknown => (typeof key === 'symbol' || key === 'then' ? undefined : noClient),
  apply: () => Promise.reject(missing()),
}) as unknown as ApiClient;

export const useClient = (): ApiClient => useLine((line) => line.client) ?? noClient;

/** react-query options for every procedure: `api.market.search.queryOptions(...)`. */
export function useApi() {
  const client = useClient();
  return useMemo(() => createTanstackQueryUtils(client), [client]);
}

/** For the same thing sent twice (a double click, a retry after a lost line) to happen once. */
export const newCommandId = (): string => crypto.randomUUID();
