import { useQueryClient } from '@tanstack/react-query';
import { useApi } from '../../state/host.ts';

/** Reads everything again that depends on which wallet there is and whether it is open. */
export function useWalletRefresh(): () => Promise<unknown> {
  const api = useApi();
  const queries = useQueryClient();
  return () =>
    Promise.all([
      queries.invalidateQueries({ queryKey: api.wallet.key() }),
      queries.invalidateQueries({ queryKey: api.system.key() }),
    ]);
}
