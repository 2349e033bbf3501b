/** Parts that tests of this room share: a wallet with its own ledger and index on a practice network. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Wallet } from 'ethers';
import { ETH } from '../shared/ids.ts';
import type { Address, Bytes32, Hex } from '../shared/ids.ts';
import { silentLog } from '../shared/log.ts';
import type { RentalTerms } from '../shared/rental.ts';
import { systemClock } from '../shared/time.ts';
import { finalPayload, voucherPayload, type TypedPayload } from '../shared/typed-data.ts';
import type { Ledger } from '../store/ledger.ts';
import { openLedger } from '../store/open-ledger.ts';
import type { Chain, TransactionSigner } from './chain.ts';
import type { ChainEvent, OfferFields } from './events.ts';
import { openChain } from './open-chain.ts';
import type { NetworkProfile } from './profile.ts';

export interface TestHost {
  wallet: Wallet;
  account: Address;
  folder: string;
  ledger: Ledger;
  chain: Chain;
  events: ChainEvent[];
  /** Resolves with the first delivered event of the kind that fits. */
  event<K extends ChainEvent['kind']>(
    kind: K,
    fits?: (event: Extract<ChainEvent, { kind: K }>) => boolean,
  ): Promise<Extract<ChainEvent, { kind: K }>>;
  close(): Promise<void>;
}

export const testFolder = (): string => mkdtempSync(path.join(os.tmpdir(), 'commonwatt-chain-'));

export const transactionSignerOf = (wallet: Wallet): TransactionSigner => ({
  address: wallet.address.toLowerCase() as Address,
  signTransaction: async (transaction) => (await wallet.signTransaction({ type: 2, ...transaction })) as Hex,
});

export async function testHost(
  profile: NetworkProfile,
  options: { wallet?: Wallet; folder?: string } = {},
): Promise<TestHost> {
  const wallet = options.wallet ?? new Wallet(Wallet.createRandom().privateKey);
  const folder = options.folder ?? testFolder();
  const account = wallet.address.toLowerCase() as Address;
  const ledger = openLedger(path.join(folder, 'ledger.db'), systemClock.now);
  const chain = await openChain({
    profile,
    indexPath: path.join(folder, 'index.db'),
    ledger,
    signer: transactionSignerOf(wallet),
    clock: systemClock,
    log: silentLog,
  });
  const events: ChainEvent[] = [];
  const waiting = new Set<() => void>();
  chain.onEvents((batch) => {
    events.push(...batch);
    for (const look of waiting) look();
  });
  await chain.watch([account]);
  return {
    wallet,
    account,
    folder,
    ledger,
    chain,
    events,
    event: (kind, fits = () => true) =>
      new Promise((resolve) => {
        const look = () => {
          for (const event of events) {
            if (event.kind !== kind || !fits(event as Extract<ChainEvent, { kind: typeof kind }>)) continue;
            waiting.delete(look);
            resolve(event as Extract<ChainEvent, { kind: typeof kind }>);
            return;
          }
          waiting.add(look);
        };
        look();
      }),
    async close() {
      await chain.close();
      ledger.close();
      if (options.folder === undefined) rmSync(folder, { recursive: true, force: true });
    },
  };
}

export const salt = (byte: number): Bytes32 => `0x${byte.toString(16).padStart(2, '0').repeat(32)}`;

export const testOffer = (
  chain: Chain,
  providerSigner: Address,
  change: Partial<OfferFields> = {},
): Omit<OfferFields, 'provider'> => ({
  gpuType: 'rtx-3090',
  gpuModel: 'GeForce RTX 3090',
  gpuCount: 1,
  gpuMemoryGb: 24,
  price: 3_600_000_000_000_000n,
  unit: 3600,
  token: ETH,
  region: 'eu-central',
  features: ['docker', 'pytorch'],
  peerKey: salt(9),
  providerSigner,
  endsBy: chain.now() + 30 * 86_400,
  minSeconds: 60,
  units: 1,
  ...change,
});

export const termsFor = (
  offerId: Bytes32,
  offer: Omit<OfferFields, 'provider'>,
  sides: { renter: Address; provider: Address; signer: Address; salt: Bytes32 },
): RentalTerms => ({
  offerId,
  offerVersion: 1,
  renter: sides.renter,
  provider: sides.provider,
  signer: sides.signer,
  providerSigner: offer.providerSigner,
  witness: ETH,
  token: offer.token,
  price: offer.price,
  unit: offer.unit,
  minSeconds: offer.minSeconds,
  endsBy: offer.endsBy,
  feeBps: 250,
  specHash: salt(7),
  salt: sides.salt,
});

export const signTyped = async (wallet: Wallet, { domain, types, message }: TypedPayload): Promise<Hex> => {
  const mutable = Object.fromEntries(Object.entries(types).map(([name, fields]) => [name, [...fields]]));
  return (await wallet.signTypedData(domain, mutable, message)) as Hex;
};

const placeOf = ({ chainId, contracts: { rentals } }: NetworkProfile) => ({ chainId, rentals });

export const signFinal = (
  profile: NetworkProfile,
  wallet: Wallet,
  { leaseId, secs, deadline }: { leaseId: Bytes32; secs: number; deadline: number },
): Promise<Hex> => signTyped(wallet, finalPayload(placeOf(profile), leaseId, secs, deadline));

export const signVoucher = (
  profile: NetworkProfile,
  wallet: Wallet,
  { leaseId, secs }: { leaseId: Bytes32; secs: number },
): Promise<Hex> => signTyped(wallet, voucherPayload(placeOf(profile), leaseId, secs));
