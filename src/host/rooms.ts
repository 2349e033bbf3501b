import type { Status } from '../api/contract.ts';
import type { Chain } from '../chain/chain.ts';
import type { Gpus } from '../gpu/gpus.ts';
import type { PeerLink } from '../peer/peer-link.ts';
import type { Deals } from '../provider/deals.ts';
import type { Sharing } from '../provider/sharing.ts';
import type { Rentals } from '../renter/rentals.ts';
import type { Engine } from '../runtime/engine.ts';
import type { Emitter, State } from '../shared/emitter.ts';
import type { Address } from '../shared/ids.ts';
import type { Log } from '../shared/log.ts';
import type { ReadyCheck } from '../shared/ready-check.ts';
import type { Clock } from '../shared/time.ts';
import type { Deal, Ledger, Notification } from '../store/ledger.ts';
import type { Wallet } from '../wallet/wallet.ts';
import type { Neighbour } from './neighbour.ts';

/** The practice network's own conveniences; null on real networks. */
export interface Practice {
  faucet(account: Address): Promise<unknown>;
  /** Where other hosts join; null when this host itself joined one. */
  joinUrl: string | null;
  neighbour: Neighbour;
}

/** Everything a running host holds, wired once by createHost and handed to the services. */
export interface Rooms {
  version: string;
  dataDir: string;
  startedAt: number;
  clock: Clock;
  log: Log;
  ledger: Ledger;
  chain: Chain;
  wallet: Wallet;
  engine: Engine;
  /** Checks beyond the engine's own: the line, the wallet, the network. */
  checks(): Promise<ReadyCheck[]>;
  gpus: Gpus;
  line: State<{ link: PeerLink | null; state: Status['peer']['state']; connections: number }>;
  sharing: Sharing;
  deals: Deals;
  rentals: Rentals;
  practice: Practice | null;
  /** A deal of either side changed, in the book or live. */
  dealChanged: Emitter<Deal>;
  notified: Emitter<Notification>;
  /** Asks the process to close. */
  shutdown(): void;
}
