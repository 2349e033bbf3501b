/** What the life of a job costs, what a jury makes of it, and a record of it. */
import { id, keccak256, toUtf8Bytes } from 'ethers';
import { ETH } from '../../src/shared/ids.ts';
import {
  acceptancePayload,
  digestOf,
  jobIdOf,
  offerIdOf,
  ratingCommitment,
  resultCommitment,
} from '../../src/shared/typed-data.ts';
import { CHAIN_ID } from './chain.mjs';

const DAY = 86_400;
const SPEC = JSON.stringify({ image: `busybox@${id('image')}`, command: ['sh', '-c', 'echo done'] });

const VALID = 1;
const INVALID = 2;

/**
 * Three providers, one renter, all in practice dollars.
 * @param {{record(name: string, sending: Promise<unknown>): Promise<unknown>}} measure
 * @param {object} params an offer's parameters
 * @param {{enter(): Promise<void>, show(): Promise<void>}} draws what validators do for a jury
 */
export async function measureJobs({ contracts, at, wallet, send, provider }, { record, show, later }, params, draws) {
  const { Jobs, Juries, Offers, Parameters, PracticeDollar, Record, Stakes, Vault, Watt } = contracts;
  const [admin, treasury, host, renter] = await Promise.all(
    ['admin', 'treasury', 'worker host', 'poster'].map((name) => wallet(name)),
  );
  const workers = await Promise.all(['worker 1', 'worker 2', 'worker 3'].map((name) => wallet(name)));
  for (const one of [renter, ...workers]) {
    await send(PracticeDollar.connect(admin).mint(one.address, 10n ** 12n));
    await send(PracticeDollar.connect(one).approve(at.Vault, 10n ** 12n));
    await send(Vault.connect(one).deposit(at.PracticeDollar, one.address, 10n ** 12n));
    await send(Vault.connect(one).authorize(at.Jobs, true));
  }
  const stake = 1000n * 10n ** 18n;
  const offers = [];
  const { timestamp } = await provider.getBlock('latest');
  for (const one of workers) {
    await send(Watt.connect(treasury).transfer(one.address, stake));
    await send(Watt.connect(one).approve(at.Vault, stake));
    await send(Vault.connect(one).deposit(at.Watt, one.address, stake));
    await send(Vault.connect(one).authorize(at.Stakes, true));
    // In a second of its own: a checkpoint of the same second is changed, not added, and what was estimated is too little.
    await later(1);
    await send(Stakes.connect(one).stake(0, stake));
    const given = { ...params, endsBy: timestamp + 365 * DAY, units: 50 };
    await send(Offers.connect(one).register(given, id('jobs')));
    offers.push(offerIdOf(one.address, id('jobs')));
  }
  const [worker] = workers;
  const [offerId] = offers;
  await record('Jobs.setOperator', Jobs.connect(worker).setOperator(host.address));

  let salts = 0;
  const termsOf = async (changes = {}) => ({
    renter: renter.address,
    assignee: ETH,
    arbiter: ETH,
    token: at.PracticeDollar,
    bounty: 10_000_000n,
    bond: 2_000_000n,
    deadline: (await provider.getBlock('latest')).timestamp + DAY,
    minRun: 600,
    window: DAY,
    minStake: 100n * 10n ** 18n,
    gpuCount: 1,
    gpuMemoryGb: 24,
    tier: 0,
    copies: 1,
    agree: 1,
    feeBps: 250,
    slashBps: 1000,
    specHash: keccak256(toUtf8Bytes(SPEC)),
    salt: id(`job ${salts++}`),
    ...changes,
  });
  const as = (who) => Jobs.connect(who);
  const post = async (changes) => {
    const terms = await termsOf(changes);
    await send(as(renter).post(terms, SPEC));
    return terms;
  };
  const assign = (terms, index = 0) => {
    const acceptance = { jobId: jobIdOf(terms), offerId: offers[index], validUntil: terms.deadline };
    const digest = digestOf(acceptancePayload({ chainId: CHAIN_ID, jobs: at.Jobs }, acceptance));
    const { signingKey } = workers[index];
    return as(renter).assign(terms, offers[index], terms.deadline, signingKey.sign(digest).serialized);
  };

  // As in a market in use, the renter has another job posted and the provider another one taken.
  await send(assign(await post()));
  const usual = await termsOf();
  const steps = [
    await record('Jobs.post', as(renter).post(usual, SPEC)),
    await record('Jobs.assign', assign(usual)),
    await record('Jobs.submit', as(worker).submit(usual, offerId, id('result'))),
    await record('Jobs.accept', as(renter).accept(usual, offerId)),
  ];
  // A result of the third worker, challenged.
  const dispute = async (changes) => {
    const terms = await post({ window: 2 * DAY, ...changes });
    await send(assign(terms, 2));
    await send(as(workers[2]).submit(terms, offers[2], id('wrong')));
    return terms;
  };
  await draws.enter();
  const judged = await dispute();
  await record('Jobs.challenge', as(renter).challenge(judged, offers[2]));
  await draws.show();
  // Whom the secrets draw depends on the job's id, and so on the time: what it costs is chance.
  await show(as(host).draw(judged, offers[2]));
  const caseId = jobIdOf(judged);
  const { seats } = await Juries.get(caseId);
  const members = await Promise.all(Array.from({ length: Number(seats) }, (_, seat) => Juries.memberOf(caseId, seat)));
  const named = await Promise.all(Array.from({ length: 9 }, (_, index) => wallet(`validator ${index}`)));
  const verdictOf = (seat) => (seat === 0 ? VALID : INVALID);
  for (const [seat, member] of members.entries()) {
    const commitment = await Juries.commitmentOf(caseId, member, verdictOf(seat), id('salt'));
    const juror = named.find(({ address }) => address === member);
    await record('Juries.commit', Juries.connect(juror).commit(caseId, seat, commitment));
  }
  for (const seat of members.keys())
    await record('Juries.reveal', Juries.connect(host).reveal(caseId, seat, verdictOf(seat), id('salt')));
  // A second of its own, as above: votes change.
  await later(1);
  await record('Jobs.resolve, rejected', as(host).resolve(judged, offers[2]));

  await record('Jobs.cancel', as(renter).cancel(await post()));
  const claimed = await post();
  await record('Jobs.claim', as(host).claim(claimed, offerId));
  const silent = await post();
  await send(assign(silent));
  await send(as(worker).submit(silent, offerId, id('result')));
  const wrong = await post({ window: 2 * DAY });
  await send(assign(wrong));
  await send(as(worker).submit(wrong, offerId, id('result')));

  const copies = await post({ tier: 2, copies: 3, agree: 2 });
  for (const [index, one] of workers.entries()) {
    await record('Jobs.claim, a copy', as(one).claim(copies, offers[index]));
  }
  for (const [index, one] of workers.entries()) {
    const commitment = resultCommitment(jobIdOf(copies), one.address, id('result'), id('salt'));
    await record('Jobs.submit, a copy', as(one).submit(copies, offers[index], commitment));
  }
  for (const offer of offers) await record('Jobs.reveal', as(host).reveal(copies, offer, id('result'), id('salt')));
  await record('Jobs.conclude', as(host).conclude(copies));
  for (const offer of offers) await record('Jobs.collect', as(host).collect(copies, offer));

  await later(DAY);
  await record('Jobs.expire', as(host).expire(claimed, offerId));
  await record('Jobs.finalize', as(host).finalize(silent, offerId));
  await record('Jobs.challenge, nobody to draw', as(renter).challenge(wrong, offerId));
  await record('Jobs.resolve', as(host).resolve(wrong, offerId));

  await record('Record.recordJob', Record.connect(host).recordJob(usual, offerId));
  const parties = [renter.address, worker.address, ETH, host.address];
  const deal = jobIdOf(usual);
  const rating = { score: 5, feedback: '', salt: id('rating') };
  for (const [side, one] of [renter, worker].entries()) {
    const commitment = ratingCommitment(deal, { ...rating, side: side === 0 ? 'renter' : 'provider' });
    await record('Record.commitRating', Record.connect(one).commitRating(deal, parties, side, commitment, '0x'));
  }
  await record('Record.revealRating', Record.connect(host).revealRating(deal, parties, 0, 5, '', id('rating')));

  // An arbiter's word costs no standing. Where more of it is asked for, the jury's leaves the third worker inactive;
  // thirty days later it qualifies again.
  const decided = await dispute({ arbiter: admin.address });
  await show(as(renter).challenge(decided, offers[2]));
  await later(1);
  await record('Jobs.decide, rejected', as(admin).decide(decided, offers[2], false));
  await send(Parameters.connect(admin).setInactiveBelow(70));
  await later(30 * DAY);
  await record('Record.requalify', Record.connect(workers[2]).requalify());
  return steps.reduce((sum, { gasUsed }) => sum + Number(gasUsed), 0);
}
