/**
 * Jobs and rentals per second that the practice network itself sustains: every transaction is signed beforehand, so that what is
 * measured is the network (HTTP, journal, mempool, blocks, EVM), not a wallet. A job is post, assign, submit
 * and accept; a rental, which the last line counts, an open and a close with both signatures. The EVM's own part is measured by running the same calls inside a single one, fifty at a time; the rest of
 * the time was spent outside of it.
 */
import type { Call } from '../src/chain/chain.ts';
import { rentalsInterface } from '../src/chain/contract-interfaces.ts';
import { ETH, type Address, type Hex } from '../src/shared/ids.ts';
import type { RentalTerms } from '../src/shared/rental.ts';
import { digestOf, finalPayload, leaseIdOf, specHash } from '../src/shared/typed-data.ts';
import { cpuOffer } from '../test/support/cpu-offer.ts';
import { report, say } from './harness.ts';
import { measureJobs } from './jobs-throughput.ts';
import { hash, startThroughputNetwork } from './throughput-network.ts';

const RENTERS = 8;
const RENTALS_EACH = 150;
const RENTALS = RENTERS * RENTALS_EACH;
const INSIDE = 50;
/** The founding limit: 100 rental transactions a minute. */
const BASELINE = 100 / 60;
const CAP_SECONDS = 600;

const chain = await startThroughputNetwork();
const { profile, rpc, dollar, calls, account } = chain;

try {
  await measureJobs(chain);
  const [provider, host, session] = await Promise.all(['provider', 'host', 'session'].map(account));
  if (!provider || !host || !session) throw new Error('no accounts');
  const offer = cpuOffer({
    token: dollar.address,
    peerKey: hash('peer'),
    providerSigner: host.address,
    endsBy: Math.floor(Date.now() / 1000) + 86_400,
    units: 60_000,
  });
  const salt = hash('offer');
  await provider.send(calls.registerOffer(offer, salt));
  const offerId = calls.offerId(provider.address, salt);
  const at = { chainId: profile.chainId, rentals: profile.contracts.rentals };
  const deadline = Math.floor(Date.now() / 1000) + 6 * 3600;

  const rental = (renter: Address, name: string) => {
    const terms: RentalTerms = {
      offerId,
      offerVersion: 1,
      renter,
      provider: provider.address,
      signer: session.address,
      providerSigner: host.address,
      witness: ETH,
      token: dollar.address,
      price: offer.price,
      unit: offer.unit,
      minSeconds: offer.minSeconds,
      endsBy: offer.endsBy,
      feeBps: 250,
      specHash: specHash('bench'),
      salt: hash(name),
    };
    const digest = digestOf(finalPayload(at, leaseIdOf(terms), 0, deadline));
    const final = {
      secs: 0,
      deadline,
      renterSignature: session.key.sign(digest).serialized as Hex,
      providerSignature: host.key.sign(digest).serialized as Hex,
    };
    return { open: calls.openLease(terms, CAP_SECONDS), close: calls.closeLease(terms, final) };
  };

  const renters = await Promise.all(Array.from({ length: RENTERS }, (_, index) => account(`renter ${index}`)));
  const deposit = 10_000_000n;
  for (const renter of renters) {
    await renter.send(calls.approve(dollar.address, deposit));
    await renter.send(calls.deposit(dollar.address, deposit, renter.address));
    await renter.send(calls.authorize(profile.contracts.rentals, true));
  }
  say(`Signing ${RENTALS} rentals of ${RENTERS} renters…`);
  const signed = await Promise.all(
    renters.map(async (renter, index) => {
      const raws: Hex[] = [];
      for (let n = 0; n < RENTALS_EACH; n += 1) {
        const { open, close } = rental(renter.address, `lease ${index} ${n}`);
        raws.push(await renter.sign(open), await renter.sign(close));
      }
      return raws;
    }),
  );

  const { seconds, firstBlock, blocks } = await chain.run(signed);
  const closedLogs = await rpc.getLogs({
    address: profile.contracts.rentals,
    topics: [rentalsInterface.getEvent('Closed')?.topicHash ?? ''],
    fromBlock: firstBlock,
  });
  if (closedLogs.length !== RENTALS) throw new Error(`${closedLogs.length} of ${RENTALS} leases were closed`);

  // The same work inside one call each: what the EVM alone takes.
  const [renter] = renters;
  if (!renter) throw new Error('no renter');
  const inside = Array.from({ length: INSIDE }, (_, n) => rental(renter.address, `inside ${n}`));
  const multicall = (of: readonly Call[]): Hex =>
    rentalsInterface.encodeFunctionData('multicall', [of.map(({ data }) => data)]) as Hex;
  const openAll = multicall(inside.map(({ open }) => open));
  const closeAll = multicall(inside.map(({ close }) => close));
  const question = rentalsInterface.encodeFunctionData('domainSeparator') as Hex;
  const { rentals } = profile.contracts;
  const openSeconds = await chain.evmSeconds(rentals, renter.address, openAll, question);
  await renter.send({ to: rentals, data: openAll, value: 0n, label: 'open all' }, 20_000_000n);
  const closeSeconds = await chain.evmSeconds(rentals, renter.address, closeAll, question);
  const evm = (openSeconds + closeSeconds) / INSIDE;
  const each = seconds / RENTALS;
  say(`${RENTALS} rentals (${2 * RENTALS} transactions) in ${seconds.toFixed(1)} s and ${blocks} blocks`);
  say(`EVM: ${(evm * 1e6).toFixed(0)} µs of the ${(each * 1e6).toFixed(0)} µs that a rental takes`);
  say(`Outside the EVM: ${(100 * (1 - evm / each)).toFixed(1)} %`);
  report({ name: 'chain-throughput', value: RENTALS / seconds, unit: 'rentals/s', baseline: BASELINE, n: RENTALS });
} finally {
  await chain.close();
}
