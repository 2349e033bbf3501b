import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Wallet } from 'ethers';
import type { Call, Chain } from '../../chain/chain.ts';
import { makeGovernanceCalls, proposalIdOf, readProposal, stakingOf, type Vote } from '../../chain/governance.ts';
import { openChain } from '../../chain/open-chain.ts';
import { startPracticeNetwork, type PracticeNetwork } from '../../chain/practice/practice-network.ts';
import { createRpc } from '../../chain/rpc.ts';
import { ETH, type Address, type Bytes32, type Hex } from '../../shared/ids.ts';
import { silentLog } from '../../shared/log.ts';
import type { RentalTerms } from '../../shared/rental.ts';
import { systemClock, type Clock } from '../../shared/time.ts';
import { digestOf, finalPayload, specHash } from '../../shared/typed-data.ts';
import { openLedger } from '../../store/open-ledger.ts';

export interface GovernanceDemo {
  proposalId: Bytes32;
  /** WATT that voted, smallest unit. */
  votes: Record<Vote, string>;
  states: string[];
  feeBpsBefore: number;
  feeBpsAfter: number;
  /** What one hour for 1 WATT paid to the network, smallest unit: agreed before the decision, and after. */
  feeOfOpenLease: string;
  feeOfNewLease: string;
}

const WATT = 10n ** 18n;
const HOUR = 3600;
const DAY = 24 * HOUR;
const NEW_FEE_BPS = 500;
const PROVIDER_STAKE = 600n * WATT;
const VALIDATOR_STAKE = 400n * WATT;

interface Party {
  wallet: Wallet;
  address: Address;
  chain: Chain;
  send(call: Call): Promise<void>;
  close(): Promise<void>;
}

/**
 * A decision of those who stake, on a fresh practice network whose clock is put forward by the days that it takes: the fee
 * is raised by proposal, vote, queue and execution, a lease that is open meanwhile keeps the fee it was opened with.
 */
export async function demoGovernance(say: (line: string) => void): Promise<GovernanceDemo> {
  const root = await mkdtemp(path.join(tmpdir(), 'commonwatt-demo-'));
  let aheadMs = 0;
  const clock: Clock = {
    now: () => systemClock.now() + aheadMs / 1000,
    monotonicMs: () => systemClock.monotonicMs() + aheadMs,
  };
  const parties: Party[] = [];
  let network: PracticeNetwork | null = null;
  try {
    say('1/7 Starting a practice network.');
    network = await startPracticeNetwork({ dataDir: root, log: silentLog, clock });
    const { profile } = network;
    const { watt, stakes } = stakingOf(profile.contracts);
    const rpc = createRpc({ urls: profile.rpcUrls, chainId: profile.chainId });
    const governance = makeGovernanceCalls(profile.contracts);
    const open = async (name: string) => {
      const party = await openParty(network as PracticeNetwork, path.join(root, name), clock);
      parties.push(party);
      return party;
    };
    const later = async (seconds: number): Promise<void> => {
      aheadMs += seconds * 1000;
      // A block that says so.
      await network?.fund(provider.address, { token: ETH, amount: 1n });
    };
    const [provider, renter] = [await open('provider'), await open('renter')];

    say('2/7 A provider stakes 600 WATT, a validator 400; one hour is rented at the fee of today.');
    await stakeAs(provider, stakes, 'provider', PROVIDER_STAKE);
    await stakeAs(renter, stakes, 'validator', VALIDATOR_STAKE);
    const rentals = await openRentals(provider, renter, { watt, endsBy: clock.now() + 60 * DAY });
    const { feeBps: feeBpsBefore } = await provider.chain.reads.jobRequirements();
    const openLease = await rentals.open(feeBpsBefore);

    const proposal = { actions: [governance.setFee(NEW_FEE_BPS)], description: `Raise the fee to ${NEW_FEE_BPS} bps` };
    const proposalId = proposalIdOf(proposal);
    const states: string[] = [];
    const look = async () => {
      const status = await readProposal(rpc, profile.contracts, proposalId);
      states.push(status.state);
      return status;
    };
    say('3/7 The provider proposes a fee of 5 percent.');
    // Stake counts from the second after it was staked.
    await later(1);
    await provider.send(governance.propose(proposal));
    await look();
    say('4/7 A day later both vote, each with its stake.');
    await later(DAY + 1);
    await provider.send(governance.vote(proposalId, 'for'));
    await renter.send(governance.vote(proposalId, 'against'));
    const { votes } = await look();
    say('5/7 Five days later the vote is over; the decision is queued for two days.');
    await later(5 * DAY + 1);
    await provider.send(governance.queue(proposal));
    await look();
    say('6/7 Anybody executes it.');
    await later(2 * DAY);
    await renter.send(governance.execute(proposal));
    await look();

    say('7/7 A new hour is rented at the new fee; both end and are settled.');
    const { feeBps: feeBpsAfter } = await provider.chain.reads.jobRequirements();
    const newLease = await rentals.open(feeBpsAfter);
    await later(HOUR);
    return {
      proposalId,
      votes: { for: `${votes.for}`, against: `${votes.against}`, abstain: `${votes.abstain}` },
      states,
      feeBpsBefore,
      feeBpsAfter,
      feeOfOpenLease: `${await rentals.close(openLease)}`,
      feeOfNewLease: `${await rentals.close(newLease)}`,
    };
  } finally {
    for (const party of parties) await party.close();
    await network?.close();
    await rm(root, { recursive: true, force: true });
  }
}

/** A wallet with money, and its own view of the chain. */
async function openParty(network: PracticeNetwork, folder: string, clock: Clock): Promise<Party> {
  const wallet = new Wallet(Wallet.createRandom().privateKey);
  const address = wallet.address.toLowerCase() as Address;
  const ledger = openLedger(`${folder}-ledger.db`, clock.now);
  const chain = await openChain({
    profile: network.profile,
    indexPath: `${folder}-index.db`,
    ledger,
    signer: {
      address,
      signTransaction: async (transaction) => (await wallet.signTransaction({ type: 2, ...transaction })) as Hex,
    },
    clock,
    log: silentLog,
  });
  await network.faucet(address);
  await chain.watch([address]);
  return {
    wallet,
    address,
    chain,
    send: async (call) => void (await chain.send(call, { commandId: crypto.randomUUID() })),
    async close() {
      await chain.close();
      ledger.close();
    },
  };
}

async function stakeAs(party: Party, stakes: Address, role: 'provider' | 'validator', amount: bigint): Promise<void> {
  const { calls, profile } = party.chain;
  const watt = profile.contracts.watt ?? ETH;
  const deposit = amount + 10n * WATT;
  await party.send(calls.approve(watt, deposit));
  await party.send(calls.deposit(watt, deposit, party.address));
  await party.send(calls.authorize(stakes, true));
  await party.send(calls.stake(role, amount));
}

/** Leases of one hour for one WATT, on an offer of the provider. */
async function openRentals(provider: Party, renter: Party, { watt, endsBy }: { watt: Address; endsBy: number }) {
  const { calls, profile } = provider.chain;
  const { rentals } = profile.contracts;
  const place = { chainId: profile.chainId, rentals };
  const offer = {
    gpuType: 'CPU',
    gpuModel: 'Demo processor',
    gpuCount: 1,
    gpuMemoryGb: 1,
    price: WATT,
    unit: HOUR,
    token: watt,
    region: 'demo',
    features: [],
    peerKey: specHash('no peer'),
    providerSigner: provider.address,
    endsBy,
    minSeconds: 60,
    units: 2,
  };
  const offerSalt = specHash('demo offer');
  await provider.send(calls.registerOffer(offer, offerSalt));
  await renter.send(calls.authorize(rentals, true));
  let count = 0;
  return {
    async open(feeBps: number): Promise<RentalTerms> {
      count += 1;
      const terms: RentalTerms = {
        offerId: calls.offerId(provider.address, offerSalt),
        offerVersion: 1,
        renter: renter.address,
        provider: provider.address,
        signer: renter.address,
        providerSigner: provider.address,
        witness: ETH,
        token: watt,
        price: offer.price,
        unit: offer.unit,
        minSeconds: offer.minSeconds,
        endsBy,
        feeBps,
        specHash: specHash('demo work'),
        salt: specHash(`demo lease ${count}`),
      };
      await renter.send(calls.openLease(terms, HOUR));
      return terms;
    },
    /** Both sides say that the hour was served. @returns the network's fee, smallest unit */
    async close(terms: RentalTerms): Promise<bigint> {
      const leaseId = calls.leaseId(terms);
      const deadline = provider.chain.now() + DAY;
      const digest = digestOf(finalPayload(place, leaseId, HOUR, deadline));
      const signedBy = ({ wallet }: Party) => wallet.signingKey.sign(digest).serialized as Hex;
      const closed = new Promise<bigint>((resolve) => {
        const off = provider.chain.onEvents((events) => {
          const end = events.find((event) => event.kind === 'LeaseClosed' && event.leaseId === leaseId);
          if (end?.kind !== 'LeaseClosed') return;
          off();
          resolve(end.fee);
        });
      });
      await provider.send(
        calls.closeLease(terms, {
          secs: HOUR,
          deadline,
          renterSignature: signedBy(renter),
          providerSignature: signedBy(provider),
        }),
      );
      return closed;
    },
  };
}
