import type { Address, Bytes32 } from '../shared/ids.ts';
import type { SqliteDatabase } from './database.ts';
import type { Ledger, Movement, MovementKind } from './ledger.ts';

type MovementRow = Omit<Movement, 'amount'> & { amount: string };

const COLUMNS = `chain_id AS chainId, tx_hash AS txHash, log_index AS logIndex, account, kind, token, amount,
  lease_id AS leaseId, job_id AS jobId, deal_id AS dealId, block, at`;

const fromRow = (row: MovementRow): Movement => ({ ...row, amount: BigInt(row.amount) });

interface AmountRow {
  token: Address;
  kind: MovementKind;
  amount: string;
}

/** Movements and their running totals: a total is changed in the transaction that books the movement. */
export function movementsTable(db: SqliteDatabase): Ledger['movements'] {
  const insert = db.prepare<[MovementRow]>(
    `INSERT INTO movements (chain_id, tx_hash, log_index, account, kind, token, amount, lease_id, job_id, deal_id,
      block, at)
      VALUES (:chainId, :txHash, :logIndex, :account, :kind, :token, :amount, :leaseId, :jobId, :dealId, :block, :at)
      ON CONFLICT DO NOTHING`,
  );
  const total = db.prepare<[number, Address, Address, MovementKind], { total: string }>(
    'SELECT total FROM movement_totals WHERE chain_id = ? AND account = ? AND token = ? AND kind = ?',
  );
  const setTotal = db.prepare<[number, Address, Address, MovementKind, string]>(
    `INSERT INTO movement_totals VALUES (?, ?, ?, ?, ?)
      ON CONFLICT (chain_id, account, token, kind) DO UPDATE SET total = excluded.total`,
  );
  const book = db.transaction((movement: Movement): boolean => {
    if (insert.run({ ...movement, amount: movement.amount.toString() }).changes === 0) return false;
    const { chainId, account, token, kind } = movement;
    const before = BigInt(total.get(chainId, account, token, kind)?.total ?? '0');
    setTotal.run(chainId, account, token, kind, (before + movement.amount).toString());
    return true;
  });
  const order = 'ORDER BY block DESC, log_index DESC LIMIT :limit';
  const byAccount = db.prepare<[{ chainId: number; account: Address; limit: number }], MovementRow>(
    `SELECT ${COLUMNS} FROM movements WHERE chain_id = :chainId AND account = :account ${order}`,
  );
  const about = (column: 'lease_id' | 'job_id') =>
    db.prepare<[{ chainId: number; id: Bytes32; account: Address | null; limit: number }], MovementRow>(
      `SELECT ${COLUMNS} FROM movements WHERE ${column} = :id AND chain_id = :chainId
        AND (:account IS NULL OR account = :account) ${order}`,
    );
  const [byLease, byJob] = [about('lease_id'), about('job_id')];
  const all = db.prepare<[{ chainId: number; limit: number }], MovementRow>(
    `SELECT ${COLUMNS} FROM movements WHERE chain_id = :chainId ${order}`,
  );
  const totals = db.prepare<[number, Address], AmountRow>(
    'SELECT token, kind, total AS amount FROM movement_totals WHERE chain_id = ? AND account = ?',
  );
  const since = db.prepare<[number, Address, number], AmountRow>(
    'SELECT token, kind, amount FROM movements WHERE chain_id = ? AND account = ? AND at >= ?',
  );
  const ofJobs = db.prepare<[number, Address], AmountRow>(
    'SELECT token, kind, amount FROM movements WHERE job_id IS NOT NULL AND chain_id = ? AND account = ?',
  );
  return {
    book,
    list({ chainId, account, leaseId, jobId, limit = 1000 }) {
      const id = leaseId ?? jobId;
      if (id !== undefined) {
        const by = leaseId === undefined ? byJob : byLease;
        return by.all({ chainId, id, account: account ?? null, limit }).map(fromRow);
      }
      if (account !== undefined) return byAccount.all({ chainId, account, limit }).map(fromRow);
      return all.all({ chainId, limit }).map(fromRow);
    },
    sum({ chainId, account, kinds, sinceAt }) {
      const rows = sinceAt === undefined ? totals.iterate(chainId, account) : since.iterate(chainId, account, sinceAt);
      return sumOf(rows, kinds);
    },
    sumOfJobs: ({ chainId, account, kinds }) => sumOf(ofJobs.iterate(chainId, account), kinds),
  };
}

function sumOf(rows: Iterable<AmountRow>, kinds: readonly MovementKind[] | undefined): Map<Address, bigint> {
  const sums = new Map<Address, bigint>();
  for (const { token, kind, amount } of rows) {
    if (kinds && !kinds.includes(kind)) continue;
    sums.set(token, (sums.get(token) ?? 0n) + BigInt(amount));
  }
  return sums;
}
