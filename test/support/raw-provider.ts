/** A provider that is driven by hand: on the market, staked and reachable like any other, and honest only where the test is. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { hexlify, randomBytes } from 'ethers';
import { cidToBytes32 } from '../../src/content/address.ts';
import type { ContentStore } from '../../src/content/content-store.ts';
import { openContentStore } from '../../src/content/open-content-store.ts';
import { serveContent } from '../../src/host/serve-content.ts';
import type { PeerLink } from '../../src/peer/peer-link.ts';
import { keyPairOf, testLink } from '../../src/peer/test-link.ts';
import { AppError } from '../../src/shared/errors.ts';
import type { Address, Bytes32 } from '../../src/shared/ids.ts';
import { silentLog } from '../../src/shared/log.ts';
import type { JobTerms } from '../../src/shared/job-terms.ts';
import { systemClock } from '../../src/shared/time.ts';
import { GIB } from '../../src/shared/units.ts';
import { askFaucet } from '../../src/chain/practice/practice-network.ts';
import { cpuOffer } from './cpu-offer.ts';
import { RawParty, WATT } from './job-market.ts';
import { walletBinder } from './wallet-binder.ts';

export class RawProvider {
  readonly party: RawParty;
  readonly content: ContentStore;
  readonly offerId: Bytes32;
  readonly #link: PeerLink;
  readonly #folder: string;

  private constructor(parts: {
    party: RawParty;
    content: ContentStore;
    offerId: Bytes32;
    link: PeerLink;
    folder: string;
  }) {
    this.party = parts.party;
    this.content = parts.content;
    this.offerId = parts.offerId;
    this.#link = parts.link;
    this.#folder = parts.folder;
  }

  /** With money, stake, an offer of several units, and a store out of which everybody gets everything. */
  static async open(joinUrl: string): Promise<RawProvider> {
    const party = await RawParty.open(joinUrl);
    const { chain, account } = party;
    const { profile, calls } = chain;
    const folder = mkdtempSync(path.join(tmpdir(), 'commonwatt-raw-provider-'));
    const content = await openContentStore({
      dir: path.join(folder, 'content'),
      limitBytes: () => GIB,
      log: silentLog,
      clock: systemClock,
    });
    const keyPair = keyPairOf(`raw provider ${account}`);
    const peerKey = hexlify(keyPair.publicKey) as Bytes32;
    const link = await testLink(
      account,
      {
        onRequest: () => Promise.reject(new AppError('not-found', 'Nothing is known about that here.')),
        onStream: (_connection, stream) => serveContent(stream, content, () => true),
      },
      {
        keyPair,
        role: 'provider',
        bootstrap: profile.peers.bootstrap.map((place) => {
          const { hostname, port } = new URL(`tcp://${place}`);
          return { host: hostname, port: Number(port) };
        }),
        binder: walletBinder(party.wallet, profile.chainId),
      },
    );
    const { watt, stakes, jobs } = profile.contracts as { watt: Address; stakes: Address; jobs: Address };
    await askFaucet(profile, account);
    const { minProviderStake } = await chain.reads.jobRequirements();
    const salt = hexlify(randomBytes(32)) as Bytes32;
    for (const call of [
      calls.approve(watt, 500n * WATT),
      calls.deposit(watt, 500n * WATT, account),
      calls.authorize(stakes, true),
      calls.authorize(jobs, true),
      calls.stake('provider', minProviderStake * 2n),
      calls.registerOffer(
        cpuOffer({
          token: watt,
          peerKey,
          providerSigner: account,
          endsBy: systemClock.now() + 80 * 86_400,
          price: 1n,
          units: 8,
        }),
        salt,
      ),
    ]) {
      await party.send(call);
    }
    return new RawProvider({ party, content, offerId: calls.offerId(account, salt), link, folder });
  }

  /** The terms of a job as the chain has them, once this party has heard of it. */
  async termsOf(jobId: Bytes32): Promise<JobTerms> {
    const { chain } = this.party;
    await this.party.until(() => chain.job(jobId) !== null);
    const job = chain.job(jobId);
    if (!job) throw new Error('the job has gone');
    return job.terms;
  }

  async claim(jobId: Bytes32): Promise<JobTerms> {
    const terms = await this.termsOf(jobId);
    await this.party.send(this.party.chain.calls.claimJob(terms, this.offerId));
    return terms;
  }

  /** Packs a folder and submits it as the result. */
  async submitFolder(terms: JobTerms, folder: string): Promise<Bytes32> {
    const { cid } = await this.content.importFolder(folder);
    const resultId = cidToBytes32(cid);
    await this.party.send(this.party.chain.calls.submitJob(terms, this.offerId, resultId));
    return resultId;
  }

  async close(): Promise<void> {
    await this.#link.close();
    await this.content.close();
    await this.party.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
