import type { Chain } from '../chain/chain.ts';
import type { PeerAddress, PeerConnection } from '../peer/peer-link.ts';
import type { DealKeys } from '../shared/deal-keys.ts';
import type { Address, Bytes32 } from '../shared/ids.ts';
import type { Log } from '../shared/log.ts';
import type { Clock } from '../shared/time.ts';
import type { Deal, Ledger } from '../store/ledger.ts';
import type { MeterRules } from '../verify/meter.ts';

/** What every rental of this renter shares. */
export interface RentalRoom {
  chain: Chain;
  ledger: Ledger;
  keys: DealKeys;
  clock: Clock;
  rules: MeterRules;
  /** Between two looks at each lease, in real milliseconds; a second where it is left out. */
  tickMs?: number;
  log: Log;
  /** The direct line. Rejects with peer-unreachable or peer-refused. */
  connect(to: PeerAddress, options: { signal: AbortSignal; expectWallet: Address }): Promise<PeerConnection>;
  onChange(deal: Deal): void;
  notify(level: 'info' | 'success' | 'warning' | 'error', title: string, body: string, leaseId: Bytes32): void;
}
