import { useQuery } from '@tanstack/react-query';
import { useApi, useClient } from './host.ts';
import { useLiveQuery } from './live.ts';

/** How the host stands; live, see `useLiveData`. */
export function useStatus() {
  return useQuery(useApi().system.status.queryOptions());
}

export const useWalletStatus = () => useStatus().data?.wallet;
export const useNetwork = () => useStatus().data?.network;

/** The streams that the whole window lives on; mounted once, in the frame. */
export function useLiveData(): void {
  const api = useApi();
  const client = useClient();
  useLiveQuery(api.system.status.queryKey(), (signal) => client.system.watch(undefined, { signal }));
  useLiveQuery(api.share.status.queryKey(), (signal) => client.share.watch(undefined, { signal }));
  useLiveQuery(api.rentals.list.queryKey({ input: {} }), (signal) => client.rentals.watchList(undefined, { signal }));
  useLiveQuery(api.jobs.list.queryKey({ input: {} }), (signal) => client.jobs.watchList({}, { signal }));
}

/** The newest jobs of this host and how many stand where; live. */
export function useJobs() {
  return useQuery(useApi().jobs.list.queryOptions({ input: {} }));
}

/** Every rental this host knows, newest first; live. */
export function useRentals() {
  return useQuery(useApi().rentals.list.queryOptions({ input: {} }));
}
