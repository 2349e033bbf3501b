import { oc } from '@orpc/contract';
import { z } from 'zod';
import { addressSchema, amountSchema, bytes32Schema, commandIdSchema, okSchema, tokenSchema } from './values.ts';
import { walletStatusSchema } from './system.ts';

const password = z.string().min(1).max(1024);

export const balanceSchema = z.object({
  token: tokenSchema,
  /** Held by the wallet's own account: pays network fees (ETH), enters the market by deposit. */
  wallet: amountSchema,
  /** Deposited and free: pays rentals, can be withdrawn at any time. */
  available: amountSchema,
  /** Locked until rentals end. */
  locked: amountSchema,
});

export const movementSchema = z.object({
  at: z.int(),
  kind: z.enum([
    'deposit',
    'withdraw',
    'lock',
    'refund',
    'earned',
    'spent',
    'fee',
    'penalty',
    'faucet',
    'bond',
    'bond-return',
    'forfeit',
    'stake',
    'unstake',
    'reward',
  ]),
  token: tokenSchema,
  /** Signed, in the smallest unit: negative leaves this account. */
  amount: z.string().regex(/^-?\d{1,60}$/),
  rentalId: bytes32Schema.nullable(),
  txHash: bytes32Schema,
  block: z.int(),
});

export const limitSchema = z.object({
  token: addressSchema,
  perDeal: amountSchema.nullable(),
  perDay: amountSchema.nullable(),
});

export const walletContract = {
  status: oc.route({ method: 'GET', path: '/wallet' }).output(walletStatusSchema),
  create: oc
    .route({ method: 'POST', path: '/wallet', summary: 'Make a wallet; the answer holds its backup words, once' })
    .input(z.object({ password }))
    .output(z.object({ address: addressSchema, mnemonic: z.string() })),
  import: oc
    .route({ method: 'POST', path: '/wallet/import' })
    .input(
      z.discriminatedUnion('kind', [
        z.object({ kind: z.literal('mnemonic'), mnemonic: z.string().max(1000), password }),
        z.object({ kind: z.literal('private-key'), privateKey: z.string().max(100), password }),
        z.object({
          kind: z.literal('keystore'),
          keystore: z.string().max(20_000),
          keystorePassword: password,
          password,
        }),
      ]),
    )
    .output(z.object({ address: addressSchema })),
  unlock: oc
    .route({ method: 'POST', path: '/wallet/unlock' })
    .input(z.object({ password, seconds: z.int().min(1).max(86_400).optional() }))
    .output(walletStatusSchema),
  lock: oc.route({ method: 'POST', path: '/wallet/lock' }).output(walletStatusSchema),
  backup: oc
    .route({ method: 'POST', path: '/wallet/backup', summary: 'Show the backup words again' })
    .input(z.object({ password }))
    .output(z.object({ mnemonic: z.string().nullable(), keystore: z.string() })),
  confirmBackup: oc.route({ method: 'POST', path: '/wallet/backup/confirm' }).output(walletStatusSchema),
  balances: oc.route({ method: 'GET', path: '/wallet/balances' }).output(z.array(balanceSchema)),
  deposit: oc
    .route({ method: 'POST', path: '/wallet/deposit' })
    .input(z.object({ commandId: commandIdSchema, token: addressSchema, amount: amountSchema }))
    .output(z.object({ txHash: bytes32Schema })),
  withdraw: oc
    .route({ method: 'POST', path: '/wallet/withdraw' })
    .input(
      z.object({
        commandId: commandIdSchema,
        token: addressSchema,
        amount: amountSchema,
        to: addressSchema.optional(),
      }),
    )
    .output(z.object({ txHash: bytes32Schema })),
  history: oc
    .route({ method: 'GET', path: '/wallet/history' })
    .input(z.object({ limit: z.int().min(1).max(500).default(100) }))
    .output(z.array(movementSchema)),
  /** Practice network only: some free money. */
  faucet: oc.route({ method: 'POST', path: '/wallet/faucet' }).output(okSchema),
  policy: oc.route({ method: 'GET', path: '/wallet/policy' }).output(z.array(limitSchema)),
  setPolicy: oc
    .route({ method: 'PUT', path: '/wallet/policy' })
    .input(z.array(limitSchema).max(50))
    .output(z.array(limitSchema)),
};
