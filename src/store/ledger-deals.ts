import { AppError } from '../shared/errors.ts';
import type { Bytes32, Hex } from '../shared/ids.ts';
import type { RentalPhase, RentalSpec } from '../shared/rental.ts';
import type { SqliteDatabase } from './database.ts';
import type { Deal, DealRole, Ledger } from './ledger.ts';
import { termsFromText, termsToText } from './terms-text.ts';

interface DealRow {
  leaseId: Bytes32;
  role: DealRole;
  offerId: Bytes32;
  terms: string;
  spec: string | null;
  phase: RentalPhase;
  detail: string;
  capSeconds: number;
  servedSeconds: number;
  signedSeconds: number;
  voucherSignature: Hex | null;
  final: string | null;
  paidSeconds: number;
  openedAt: number | null;
  closedAt: number | null;
  closeReason: string | null;
  settlement: string | null;
  createdAt: number;
  updatedAt: number;
}

const COLUMNS = `lease_id AS leaseId, role, offer_id AS offerId, terms, spec, phase, detail, cap_seconds AS capSeconds,
  served_seconds AS servedSeconds, signed_seconds AS signedSeconds, voucher_signature AS voucherSignature, final,
  paid_seconds AS paidSeconds, opened_at AS openedAt, closed_at AS closedAt, close_reason AS closeReason, settlement,
  created_at AS createdAt, updated_at AS updatedAt`;

function settlementFromText(text: string): NonNullable<Deal['settlement']> {
  const plain = JSON.parse(text) as {
    seconds: number;
    paid: string;
    fee: string;
    penalty: string;
    refund: string;
    txHash: Bytes32;
  };
  return {
    seconds: plain.seconds,
    paid: BigInt(plain.paid),
    fee: BigInt(plain.fee),
    penalty: BigInt(plain.penalty),
    refund: BigInt(plain.refund),
    txHash: plain.txHash,
  };
}

const fromRow = (row: DealRow): Deal => ({
  ...row,
  terms: termsFromText(row.terms),
  spec: row.spec === null ? null : (JSON.parse(row.spec) as RentalSpec),
  final: row.final === null ? null : (JSON.parse(row.final) as Deal['final']),
  settlement: row.settlement === null ? null : settlementFromText(row.settlement),
});

const toRow = (deal: Deal): DealRow => ({
  ...deal,
  terms: termsToText(deal.terms),
  spec: deal.spec === null ? null : JSON.stringify(deal.spec),
  final: deal.final === null ? null : JSON.stringify(deal.final),
  settlement:
    deal.settlement === null
      ? null
      : JSON.stringify(deal.settlement, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)),
});

export function dealsTable(db: SqliteDatabase, now: () => number): Ledger['deals'] {
  const select = db.prepare<[Bytes32, DealRole], DealRow>(
    `SELECT ${COLUMNS} FROM deals WHERE lease_id = ? AND role = ?`,
  );
  const insert = db.prepare<[DealRow]>(
    `INSERT INTO deals VALUES (:leaseId, :role, :offerId, :terms, :spec, :phase, :detail, :capSeconds, :servedSeconds,
      :signedSeconds, :voucherSignature, :final, :paidSeconds, :openedAt, :closedAt, :closeReason, :settlement,
      :createdAt, :updatedAt) ON CONFLICT DO NOTHING`,
  );
  const change = db.prepare<[DealRow]>(
    `UPDATE deals SET spec = :spec, phase = :phase, detail = :detail, cap_seconds = :capSeconds,
      served_seconds = :servedSeconds, signed_seconds = :signedSeconds, voucher_signature = :voucherSignature,
      final = :final, paid_seconds = :paidSeconds, opened_at = :openedAt, closed_at = :closedAt,
      close_reason = :closeReason, settlement = :settlement, updated_at = :updatedAt
      WHERE lease_id = :leaseId AND role = :role`,
  );
  const listAll = db.prepare<[{ role: DealRole | null; limit: number }], DealRow>(
    `SELECT ${COLUMNS} FROM deals WHERE :role IS NULL OR role = :role ORDER BY created_at DESC, lease_id LIMIT :limit`,
  );
  const listOpen = db.prepare<[{ role: DealRole | null; limit: number }], DealRow>(
    `SELECT ${COLUMNS} FROM deals WHERE phase <> 'closed' AND (:role IS NULL OR role = :role)
      ORDER BY created_at DESC, lease_id LIMIT :limit`,
  );
  const get = (leaseId: Bytes32, role: DealRole): Deal | null => {
    const row = select.get(leaseId, role);
    return row ? fromRow(row) : null;
  };
  const need = (leaseId: Bytes32, role: DealRole): Deal => {
    const deal = get(leaseId, role);
    if (deal) return deal;
    throw new AppError('not-found', `There is no rental ${leaseId} in this computer's book.`, { field: 'rentalId' });
  };
  return {
    get,
    list: ({ role, open = false, limit = 1000 } = {}) =>
      (open ? listOpen : listAll).all({ role: role ?? null, limit }).map(fromRow),
    put(deal) {
      const whole: Deal = { ...deal, updatedAt: now() };
      if (insert.run(toRow(whole)).changes === 1) return whole;
      return need(deal.leaseId, deal.role);
    },
    update(leaseId, role, values) {
      const next: Deal = { ...need(leaseId, role), ...values, updatedAt: now() };
      change.run(toRow(next));
      return next;
    },
  };
}
