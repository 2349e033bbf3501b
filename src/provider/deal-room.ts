import type { Chain } from '../chain/chain.ts';
import type { DealLimits, Engine } from '../runtime/engine.ts';
import type { DealKeys } from '../shared/deal-keys.ts';
import type { Bytes32 } from '../shared/ids.ts';
import type { Log } from '../shared/log.ts';
import type { RentalSpec } from '../shared/rental.ts';
import type { Clock } from '../shared/time.ts';
import type { Deal, Ledger } from '../store/ledger.ts';
import type { MeterRules } from '../verify/meter.ts';

/** What every deal of this provider shares. */
export interface DealRoom {
  chain: Chain;
  ledger: Ledger;
  engine: Engine;
  keys: DealKeys;
  clock: Clock;
  rules: MeterRules;
  /** Between two looks at each lease, in real milliseconds; a second where it is left out. */
  tickMs?: number;
  log: Log;
  /** What a deal of this offer may use of the machine. */
  limitsFor(offerId: Bytes32, spec: RentalSpec): DealLimits;
  /** Something about this deal changed: screens look again. */
  onChange(deal: Deal): void;
  /** A sentence the owner should see. */
  notify(level: 'info' | 'success' | 'warning' | 'error', title: string, body: string, leaseId: Bytes32): void;
}
