import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Wallet, hexlify, randomBytes } from 'ethers';
import type { Call, Chain } from '../../src/chain/chain.ts';
import type { OfferFields } from '../../src/chain/events.ts';
import { openChain } from '../../src/chain/open-chain.ts';
import type { PracticeNetwork } from '../../src/chain/practice/practice-network.ts';
import { transactionSignerOf } from '../../src/chain/testing-host.ts';
import type { ContentStore } from '../../src/content/content-store.ts';
import { openContentStore } from '../../src/content/open-content-store.ts';
import type { PeerHandler, PeerLink } from '../../src/peer/peer-link.ts';
import { keyPairOf, testLink } from '../../src/peer/test-link.ts';
import type { Address, Bytes32 } from '../../src/shared/ids.ts';
import { silentLog } from '../../src/shared/log.ts';
import type { Clock } from '../../src/shared/time.ts';
import { GIB } from '../../src/shared/units.ts';
import type { Ledger } from '../../src/store/ledger.ts';
import { openLedger } from '../../src/store/open-ledger.ts';
import { cpuOffer } from './cpu-offer.ts';
import { walletBinder } from './wallet-binder.ts';

const DAY = 86_400;

/** One computer of a test: a wallet, a book, a store and a line, all of which outlive what runs in memory. */
export class Party {
  readonly name: string;
  readonly wallet = new Wallet(Wallet.createRandom().privateKey);
  readonly hostKey = new Wallet(Wallet.createRandom().privateKey);
  readonly account = this.wallet.address.toLowerCase() as Address;
  readonly hostAccount = this.hostKey.address.toLowerCase() as Address;
  readonly folder = mkdtempSync(path.join(tmpdir(), 'commonwatt-party-'));
  readonly clock: Clock;
  readonly #network: PracticeNetwork;
  handler: Partial<PeerHandler> = {};
  ledger!: Ledger;
  chain!: Chain;
  content!: ContentStore;
  link!: PeerLink;
  #commands = 0;

  constructor(name: string, network: PracticeNetwork, clock: Clock) {
    this.name = name;
    this.#network = network;
    this.clock = clock;
  }

  /** @param deposit smallest units of WATT that it puts into the Vault */
  static async withMoney(name: string, network: PracticeNetwork, clock: Clock, deposit: bigint): Promise<Party> {
    const party = new Party(name, network, clock);
    await network.faucet(party.account);
    await party.open();
    const { calls } = party.chain;
    await party.send(calls.approve(party.watt, deposit));
    await party.send(calls.deposit(party.watt, deposit, party.account));
    return party;
  }

  async open(): Promise<void> {
    const { clock, folder, wallet } = this;
    const { profile } = this.#network;
    this.ledger = openLedger(path.join(folder, 'ledger.db'), clock.now);
    this.chain = await openChain({
      profile,
      indexPath: path.join(folder, 'index.db'),
      ledger: this.ledger,
      signer: transactionSignerOf(wallet),
      clock,
      log: silentLog,
    });
    this.content = await openContentStore({
      dir: path.join(folder, 'content'),
      limitBytes: () => GIB,
      log: silentLog,
      clock,
    });
    this.link = await testLink(
      `${this.name} ${this.account}`,
      {
        onRequest: (connection, kind, body) => this.handler.onRequest!(connection, kind, body),
        onStream: (connection, stream) => this.handler.onStream!(connection, stream),
      },
      { clock, binder: walletBinder(wallet, profile.chainId) },
    );
  }

  get peerKey(): Bytes32 {
    return hexlify(keyPairOf(`${this.name} ${this.account}`).publicKey) as Bytes32;
  }

  get watt(): Address {
    return this.#network.profile.contracts.watt as Address;
  }

  send(call: Call): Promise<unknown> {
    this.#commands += 1;
    return this.chain.send(call, { commandId: `${this.name}-${performance.now()}-${this.#commands}` });
  }

  /** Puts a processor on the market, against WATT. */
  async offer(change: Pick<OfferFields, 'price' | 'units'>): Promise<Bytes32> {
    const { peerKey, watt: token, hostAccount: providerSigner } = this;
    const salt = hexlify(randomBytes(32)) as Bytes32;
    const endsBy = this.clock.now() + 80 * DAY;
    const offer = cpuOffer({ token, peerKey, providerSigner, endsBy, ...change });
    await this.send(this.chain.calls.registerOffer(offer, salt));
    return this.chain.calls.offerId(this.account, salt);
  }

  /** Another life begins with `open`. */
  async shut(): Promise<void> {
    await this.link.close();
    await this.chain.close();
    await this.content.close();
    this.ledger.close();
  }

  /** Shut for good. */
  async remove(): Promise<void> {
    await this.shut();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
