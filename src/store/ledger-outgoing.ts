import type { Address, Bytes32 } from '../shared/ids.ts';
import type { SqliteDatabase } from './database.ts';
import type { Ledger, OutgoingState, OutgoingTransaction } from './ledger.ts';

type OutgoingRow = Omit<OutgoingTransaction, 'maxFeePerGas' | 'maxPriorityFeePerGas'> & {
  maxFeePerGas: string;
  maxPriorityFeePerGas: string;
};

const COLUMNS = `command_id AS commandId, chain_id AS chainId, sender AS "from", nonce, attempt, label, tx_hash AS txHash, raw,
  max_fee AS maxFeePerGas, max_priority_fee AS maxPriorityFeePerGas, state, block, error, created_at AS createdAt,
  updated_at AS updatedAt`;

const fromRow = (row: OutgoingRow): OutgoingTransaction => ({
  ...row,
  maxFeePerGas: BigInt(row.maxFeePerGas),
  maxPriorityFeePerGas: BigInt(row.maxPriorityFeePerGas),
});

/** Transactions that left this machine, or were about to: the raw bytes are here before any node sees them. */
export function outgoingTable(db: SqliteDatabase, now: () => number): Ledger['outgoing'] {
  const insert = db.prepare<[OutgoingRow]>(
    `INSERT INTO outgoing (command_id, chain_id, sender, nonce, attempt, label, tx_hash, raw, max_fee, max_priority_fee, state,
      block, error, created_at, updated_at)
      VALUES (:commandId, :chainId, :from, :nonce, :attempt, :label, :txHash, :raw, :maxFeePerGas, :maxPriorityFeePerGas, :state,
      :block, :error, :createdAt, :updatedAt)`,
  );
  // The attempt that counts: the mined one if any, else the newest.
  const byCommand = db.prepare<[string], OutgoingRow>(
    `SELECT ${COLUMNS} FROM outgoing WHERE command_id = ?
      ORDER BY state IN ('mined', 'reverted') DESC, state = 'failed', attempt DESC, created_at DESC LIMIT 1`,
  );
  const byNonce = db.prepare<[number, Address, number], OutgoingRow>(
    `SELECT ${COLUMNS} FROM outgoing WHERE chain_id = ? AND sender = ? AND nonce = ?
      ORDER BY attempt`,
  );
  const pending = db.prepare<[number, Address], OutgoingRow>(
    `SELECT ${COLUMNS} FROM outgoing WHERE chain_id = ? AND sender = ? AND state = 'stored'
      ORDER BY nonce, attempt`,
  );
  const lastNonce = db.prepare<[number, Address], { nonce: number | null }>(
    "SELECT max(nonce) AS nonce FROM outgoing WHERE chain_id = ? AND sender = ? AND state <> 'failed'",
  );
  const change = db.prepare<[OutgoingState, number | null, string | null, number, Bytes32]>(
    'UPDATE outgoing SET state = ?, block = ?, error = ?, updated_at = ? WHERE tx_hash = ?',
  );
  return {
    byCommand(commandId) {
      const row = byCommand.get(commandId);
      return row ? fromRow(row) : null;
    },
    byNonce: (chainId, from, nonce) => byNonce.all(chainId, from, nonce).map(fromRow),
    pending: (chainId, from) => pending.all(chainId, from).map(fromRow),
    lastNonce: (chainId, from) => lastNonce.get(chainId, from)?.nonce ?? null,
    put(transaction) {
      insert.run({
        ...transaction,
        maxFeePerGas: transaction.maxFeePerGas.toString(),
        maxPriorityFeePerGas: transaction.maxPriorityFeePerGas.toString(),
      });
    },
    setState(txHash, state, { block, error } = {}) {
      change.run(state, block ?? null, error ?? null, now(), txHash);
    },
  };
}
