import type { Rental } from '../../api/contract.ts';
import type { Chain } from '../../chain/chain.ts';
import { tokenOf } from '../../chain/profile.ts';
import type { PeerConnection } from '../../peer/peer-link.ts';
import type { Progress } from '../../shared/ready-check.ts';
import type { Deal } from '../../store/ledger.ts';
import { billOf } from '../../verify/meter.ts';

/** What only the running host knows about a lease. */
export interface Live {
  servedSeconds: number;
  connection: PeerConnection | null;
  progress: Progress | null;
  forwards: { containerPort: number; localPort: number; connections: number }[];
}

/** A lease as every door shows it: the book's row, with what runs right now. */
export function rentalView(deal: Deal, live: Live | null, chain: Pick<Chain, 'profile' | 'offer'>): Rental {
  const { terms, settlement } = deal;
  const offer = chain.offer(deal.offerId);
  const served = Math.min(deal.capSeconds, live?.servedSeconds ?? deal.servedSeconds);
  const bill = billOf({ ...terms, capSeconds: deal.capSeconds }, served);
  const neverOpened = deal.phase === 'closed' && settlement === null;
  return {
    rentalId: deal.leaseId,
    role: deal.role,
    counterparty: deal.role === 'renter' ? terms.provider : terms.renter,
    offerId: deal.offerId,
    gpuType: offer?.gpuType ?? 'unknown',
    gpuModel: offer?.gpuModel ?? 'unknown',
    gpuCount: offer?.gpuCount ?? 0,
    token: tokenOf(chain.profile, terms.token),
    price: `${terms.price}`,
    unit: terms.unit as Rental['unit'],
    phase: deal.phase,
    detail: deal.detail,
    progress: live?.progress ?? null,
    connected: live?.connection != null,
    rttMs: live?.connection?.rttMs() ?? null,
    spec: deal.spec,
    openedAt: deal.openedAt ?? deal.createdAt,
    capSeconds: deal.capSeconds,
    servedSeconds: settlement?.seconds ?? served,
    signedSeconds: deal.signedSeconds,
    deposit: neverOpened ? '0' : `${bill.deposit}`,
    spent: settlement ? `${settlement.paid + settlement.penalty}` : neverOpened ? '0' : `${bill.spent}`,
    left: settlement ? `${settlement.refund}` : neverOpened ? '0' : `${bill.left}`,
    settlement: settlement && {
      seconds: settlement.seconds,
      paid: `${settlement.paid}`,
      refund: `${settlement.refund}`,
      fee: `${settlement.fee}`,
      penalty: `${settlement.penalty}`,
      closedAt: deal.closedAt ?? deal.updatedAt,
      txHash: settlement.txHash,
      reason: deal.closeReason ?? '',
    },
    forwards: live?.forwards ?? [],
  };
}
