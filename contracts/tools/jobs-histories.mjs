/**
 * Random histories of two renters' jobs, three providers and nine validators, with the model's answer and state after every
 * call: juries that vote on what is disputed, both sides' ratings of what was paid. Times fall on the edges of deadlines and
 * windows, callers, offers and signers are often the wrong ones.
 */
import {
  AbiCoder,
  Interface,
  SigningKey,
  computeAddress,
  getCreateAddress,
  id,
  keccak256,
  toBeHex,
  zeroPadValue,
} from 'ethers';
import { JOBS_ABI } from '../../src/chain/abi/Jobs.ts';
import { JURIES_ABI } from '../../src/chain/abi/Juries.ts';
import { OFFERS_ABI } from '../../src/chain/abi/Offers.ts';
import { PARAMETERS_ABI } from '../../src/chain/abi/Parameters.ts';
import { RECORD_ABI } from '../../src/chain/abi/Record.ts';
import { STAKES_ABI } from '../../src/chain/abi/Stakes.ts';
import { VAULT_ABI } from '../../src/chain/abi/Vault.ts';
import { ETH } from '../../src/shared/ids.ts';
import {
  RATING_SIDE,
  acceptancePayload,
  copyIdOf,
  digestOf,
  jobIdOf,
  offerIdOf,
  ratingCommitPayload,
  ratingCommitment,
  resultCommitment,
} from '../../src/shared/typed-data.ts';
import * as attestations from '../../src/verify/attestations-model.ts';
import * as model from '../../src/verify/jobs-model.ts';
import * as juries from '../../src/verify/juries-model.ts';
import * as offersModel from '../../src/verify/offers-model.ts';
import * as record from '../../src/verify/record-model.ts';
import * as stakesModel from '../../src/verify/stakes-model.ts';
import * as vault from '../../src/verify/vault-model.ts';
import { Revert } from '../../src/verify/world.ts';
import { encodeBytesArray, encodeSent, mulberry, packed } from './histories.mjs';

const START = 1_800_000_000;
const DAY = 86_400;
const WATT = 10n ** 18n;
const address = (value) => zeroPadValue(toBeHex(value), 20);
const key = (value) => new SigningKey(zeroPadValue(toBeHex(value), 32));

/** As JobsReplay.t.sol has them. */
const created = (nonce) => getCreateAddress({ from: address(0xde9105), nonce }).toLowerCase();
const AT = {
  Parameters: created(1),
  Vault: created(2),
  dollar: created(5),
  Watt: created(6),
  Offers: created(7),
  Stakes: created(9),
  Attestations: created(10),
  Juries: created(11),
  Record: created(12),
  Jobs: created(13),
};
export const TARGET = AT.Jobs;
const ADMIN = address(0xad31);
const TREASURY = address(0x7ea5);
const STRANGER = address(0x5747);
const RENTERS = [address(0x4e17), address(0x4e18)];
const PROVIDERS = [address(0xc4e0), address(0xc4e1), address(0xc4e2)];
const VALIDATORS = Array.from({ length: 9 }, (_, index) => computeAddress(key(0x7a11d + index)).toLowerCase());
const DRAW_DAYS = 16;
const PEOPLE = [...RENTERS, ...PROVIDERS, STRANGER];
const STAKED = [1000n * WATT, 150n * WATT, 100n * WATT];
const [HOST, BAD] = [key(0x4057), key(0xbad)];
const OPERATOR = computeAddress(HOST).toLowerCase();
const FUNDED = 10n ** 12n;
const SPEC = '{"image":"busybox"}';
const NOTHING = keccak256('0x');

const interfaces = {
  Parameters: new Interface(PARAMETERS_ABI),
  Vault: new Interface(VAULT_ABI),
  Offers: new Interface(OFFERS_ABI),
  Stakes: new Interface(STAKES_ABI),
  Jobs: new Interface(JOBS_ABI),
  Juries: new Interface(JURIES_ABI),
  Record: new Interface(RECORD_ABI),
};

function answerOf({ contract, error, args }) {
  if (contract === 'Panic') return keccak256(`0x4e487b71${BigInt(args[0]).toString(16).padStart(64, '0')}`);
  return keccak256(interfaces[contract].encodeErrorResult(error, [...args]));
}

const OFFER = {
  gpuType: 'g',
  gpuModel: '',
  region: '',
  features: '',
  token: AT.dollar,
  price: 1n,
  unit: 60,
  minSeconds: 60,
  endsBy: START + 1000 * DAY,
  gpuCount: 2,
  gpuMemoryGb: 24,
  units: 2,
  peerKey: id('peer'),
  providerSigner: OPERATOR,
};
const OFFER_IDS = PROVIDERS.map((provider) => offerIdOf(provider, id('offer')));

const coder = AbiCoder.defaultAbiCoder();
const secretOf = (epoch, validator) =>
  keccak256(coder.encode(['string', 'uint32', 'address'], ['secret', epoch, validator]));

/** As `_enterDraws` of JobsReplay.t.sol: which validators have entered which draw, and who has revealed. */
function enterDraws() {
  let world = {
    market: { now: START },
    staked: new Map(VALIDATORS.map((one, index) => [one, 1000n * WATT * BigInt(1 + index)])),
    minStake: 1000n * WATT,
    operators: new Map(),
    barred: new Set(),
    epochs: new Map(),
    standings: new Map(),
  };
  const first = attestations.epochAt(START) + 1;
  for (let epoch = first; epoch < first + DRAW_DAYS; epoch += 1) {
    world = { ...world, market: { now: epoch * DAY } };
    for (const [i, one] of VALIDATORS.entries()) {
      if ((epoch * 7 + i) % 5 !== 0) {
        const commitment = attestations.commitmentOf(epoch + 1, one, secretOf(epoch + 1, one));
        world = attestations.commit(world, one, one, commitment);
      }
      if (epoch > first + 1 && ((epoch - 1) * 3 + i) % 7 !== 0 && ((epoch - 2) * 7 + i) % 5 !== 0) {
        world = attestations.reveal(world, epoch - 1, one, secretOf(epoch - 1, one));
      }
    }
  }
  return world;
}

function freshWorld() {
  let market = {
    now: START,
    rentals: ETH,
    treasury: TREASURY,
    feeBps: 250,
    newDealsPausedUntil: 0,
    pauseAllowedAt: 0,
    tokens: new Set([ETH, AT.dollar, AT.Watt]),
    balances: new Map(),
    locks: new Map(),
    reserves: new Map(),
    authorized: new Set(),
    offers: new Map(),
    leases: new Map(),
  };
  for (const one of PEOPLE) {
    market = vault.deposit(market, AT.dollar, one, FUNDED);
    market = vault.authorize(market, one, AT.Jobs, true);
  }
  let stakes = {
    market,
    stakes: AT.Stakes,
    watt: AT.Watt,
    jobs: AT.Jobs,
    attestations: AT.Attestations,
    supply: 1_000_000_000n * WATT,
    minStakes: [100n * WATT, 1000n * WATT],
    bonds: new Map(),
    engaged: new Map(),
    delegates: new Map(),
    checkpoints: new Map(),
  };
  const bond = (one, role, amount) => {
    market = vault.deposit(stakes.market, AT.Watt, one, amount);
    market = vault.authorize(market, one, AT.Stakes, true);
    stakes = stakesModel.stake({ ...stakes, market }, one, role, amount);
  };
  for (const [index, one] of VALIDATORS.entries()) bond(one, 1, 1000n * WATT * BigInt(1 + index));
  for (const [index, one] of PROVIDERS.entries()) {
    bond(one, 0, STAKED[index]);
    stakes = { ...stakes, market: offersModel.register(stakes.market, one, OFFER, id('offer')) };
  }
  return {
    stakes,
    slashBps: 1000,
    inactiveBelow: 50,
    operators: new Map(),
    jobs: new Map(),
    challengers: new Map(),
    results: new Map(),
    votes: new Map(),
    validators: enterDraws(),
    cases: new Map(),
    standings: new Map(),
    deals: new Map(),
  };
}

/** Every history begins with the same world, which is a value. */
let begun;
const begin = () => (begun ??= freshWorld());

const hashes = new Map();
function offerHashOf(offerId) {
  if (!hashes.has(offerId)) hashes.set(offerId, BigInt(keccak256(offerId).slice(0, 42)));
  return hashes.get(offerId);
}

const listOf = ({ renter, provider, renterKey, providerKey }) => [renter, provider, renterKey, providerKey];
const partiesHashes = new WeakMap();
function partiesHashOf(parties) {
  const known = partiesHashes.get(parties) ?? BigInt(keccak256(packed(listOf(parties))).slice(0, 42));
  partiesHashes.set(parties, known);
  return known;
}

function jobWords(world, id) {
  const { offerId, until, taken, submitted, revealed, agreeing, state } = model.jobOf(world, id);
  const offerHash = offerId === null ? 0n : offerHashOf(offerId);
  const result = world.results.get(id) ?? 0n;
  const deal = world.deals.get(id);
  const ratings = deal
    ? [partiesHashOf(deal.parties), deal.recordedAt, deal.byRenter, deal.byProvider]
    : [0n, 0n, 0n, 0n];
  const commitments = [0, 1].map((side) => deal?.commitments.get(side) ?? 0n);
  const job = [offerHash, until, taken, submitted, revealed, agreeing, state, result, world.challengers.get(id) ?? 0n];
  return [...job, ...ratings, ...commitments];
}

const SEATS = [0, 1, 2, 3, 4, 5, 6];
function caseWords(world, id) {
  const { members, commitments, ...one } = juries.caseOf(world, id);
  const { commitUntil, revealUntil, epoch, committed, revealed, valid, invalid } = one;
  const seats = SEATS.flatMap((seat) => [members[seat] ?? 0n, commitments.get(seat) ?? 0n]);
  return [commitUntil, revealUntil, epoch, members.length, committed, revealed, valid, invalid, ...seats];
}

function stateHash(world, deals) {
  const { stakes } = world;
  const { market } = stakes;
  const words = [];
  for (const { jobId, copyIds } of deals) {
    words.push(...jobWords(world, jobId));
    for (const copyId of copyIds) words.push(...jobWords(world, copyId));
    words.push(...caseWords(world, jobId));
  }
  for (const one of PEOPLE) {
    words.push(vault.balanceOf(market, one, AT.dollar), vault.lockedOf(market, AT.Jobs, one, AT.dollar));
    words.push(vault.balanceOf(market, one, AT.Watt));
    const standing = record.standingOf(world, one);
    words.push(standing.lost, standing.rejectedAt, standing.provided, standing.rented);
    words.push(standing.strikes, standing.rejections);
  }
  for (const [index, one] of PROVIDERS.entries()) {
    words.push(stakesModel.stakeOf(stakes, 0, one).staked, stakesModel.atRiskOf(stakes, 0, one));
    words.push(market.offers.get(OFFER_IDS[index]).taken);
  }
  words.push(vault.balanceOf(market, TREASURY, AT.dollar), vault.reserveOf(market, AT.dollar), stakes.supply);
  return keccak256(packed(words));
}

function makeHistory(random) {
  const int = (low, high) => low + Math.floor(random() * (high - low + 1));
  const pick = (...all) => all[int(0, all.length - 1)];
  const chance = (share) => random() < share;
  let world = begin();
  // Validators sit from the third day on.
  const from = START + pick(0, 3, 4, 5) * DAY;

  const termsOf = (number) => {
    const bounty = BigInt(chance(0.03) ? 0 : int(1, 1_000_000));
    const copies = pick(1, 1, 2, 3, 3);
    return {
      renter: pick(...RENTERS),
      assignee: chance(0.1) ? pick(...PROVIDERS) : ETH,
      arbiter: chance(0.6) ? STRANGER : ETH,
      token: chance(0.02) ? STRANGER : AT.dollar,
      bounty,
      bond: chance(0.05) ? bounty / 11n : bounty / BigInt(int(1, 10)) + 1n,
      deadline: from + int(DAY, 10 * DAY),
      minRun: int(0, DAY),
      window: chance(0.03) ? 1799 : int(1800, 2 * DAY),
      minStake: (chance(0.03) ? 99n : pick(100n, 100n, 150n, 151n)) * WATT,
      gpuCount: chance(0.05) ? 3 : 2,
      gpuMemoryGb: 24,
      tier: copies > 1 ? 2 : pick(0, 0, 1, 3),
      copies,
      agree: copies === 1 ? 1 : chance(0.05) ? 1 : Math.floor(copies / 2) + 1,
      feeBps: chance(0.98) ? 250 : 249,
      slashBps: chance(0.98) ? 1000 : 999,
      specHash: chance(0.98) ? id(SPEC) : id('other'),
      salt: id(`job ${number}`),
    };
  };
  const all = [0, 1, 2].map(termsOf);
  const jobIds = all.map(jobIdOf);
  const deals = jobIds.map((jobId) => ({ jobId, copyIds: PROVIDERS.map((one) => copyIdOf(jobId, one)) }));
  // Each provider always says the same about a job; most say the same.
  const results = jobIds.map(() => PROVIDERS.map(() => id(chance(0.75) ? 'result' : 'other')));
  const salt = id('salt');

  const jobsCall = (name, args) => ({ name, target: AT.Jobs, call: interfaces.Jobs.encodeFunctionData(name, args) });
  const offerOf = (job, copies) => {
    if (job.offerId !== null && chance(0.95)) return job.offerId;
    const taken = OFFER_IDS.filter((_, i) => model.jobOf(world, copies[i]).offerId !== null);
    return taken.length > 0 && chance(0.8) ? pick(...taken) : pick(...OFFER_IDS);
  };

  // Each validator thinks what it thinks of a case; most think the same.
  const leaning = jobIds.map(() => pick(1, 1, 2, 3));
  const verdictOf = (jobId, seat) => {
    const usual = leaning[jobIds.indexOf(jobId)];
    return seat % 7 === 6 ? 3 - Math.min(usual, 2) : usual;
  };
  const vote = (jobId, seat) => {
    const member = juries.caseOf(world, jobId).members[seat] ?? VALIDATORS[0];
    const caller = chance(0.95) ? member : pick(STRANGER, ...VALIDATORS);
    const full = juries.verdictCommitment(jobId, member, verdictOf(jobId, seat), salt);
    const commitment = chance(0.97) ? full : zeroPadValue('0x00', 32);
    const run = () => juries.commit(world, caller, jobId, { seat, commitment });
    const call = interfaces.Juries.encodeFunctionData('commit', [jobId, seat, commitment]);
    return { name: 'vote', caller, target: AT.Juries, call, run };
  };
  const unveil = (jobId, seat) => {
    const verdict = chance(0.95) ? verdictOf(jobId, seat) : int(0, 3);
    const run = () => juries.reveal(world, jobId, { seat, verdict, salt });
    const call = interfaces.Juries.encodeFunctionData('reveal', [jobId, seat, verdict, salt]);
    return { name: 'unveil', caller: STRANGER, target: AT.Juries, call, run };
  };

  const rate = (name, terms, offerId, side = pick('renter', 'provider')) => {
    const dealId = model.dealIdOf(terms, offerId);
    const known = world.deals.get(dealId)?.parties ?? model.partiesOf(world, terms, offerId);
    const parties = chance(0.97) ? known : { ...known, renterKey: STRANGER };
    const usual = { side, score: side === 'renter' ? 5 : 4, feedback: 'bafkrei', salt };
    const from = { target: AT.Record, name };
    if (name === 'commitRating') {
      const rating = chance(0.95) ? usual : { ...usual, score: 6, feedback: 'x'.repeat(chance(0.5) ? 101 : 3) };
      const commitment = chance(0.97) ? ratingCommitment(dealId, rating) : zeroPadValue('0x00', 32);
      const caller = chance(0.7) ? (side === 'renter' ? terms.renter : parties.provider) : pick(STRANGER, OPERATOR);
      const signing = pick(HOST, HOST, BAD);
      const payload = ratingCommitPayload({ chainId: 31_337, record: AT.Record }, dealId, commitment);
      const signature = chance(0.9) ? signing.sign(digestOf(payload)).serialized : '0x1234';
      const signer = signature === '0x1234' ? ETH : computeAddress(signing).toLowerCase();
      const args = [dealId, listOf(parties), RATING_SIDE[side], commitment, signature];
      const call = interfaces.Record.encodeFunctionData(name, args);
      const run = () => record.commitRating(world, caller, dealId, { parties, side, commitment, signer });
      return { ...from, caller, call, run };
    }
    const odd = { score: pick(0, 3, 6), feedback: pick('bafkrei', 'x'.repeat(101), 'other') };
    const rating = chance(0.9) ? usual : { ...usual, ...odd };
    const args = [dealId, listOf(parties), RATING_SIDE[side], rating.score, rating.feedback, salt];
    const call = interfaces.Record.encodeFunctionData(name, args);
    return { ...from, caller: STRANGER, call, run: () => record.revealRating(world, dealId, parties, rating) };
  };

  const drawSubject = () => {
    const at = int(0, 2);
    const job = model.jobOf(world, jobIds[at]);
    const offerId = offerOf(job, deals[at].copyIds);
    const who = OFFER_IDS.indexOf(offerId);
    const deal = all[at].copies === 1 ? job : model.jobOf(world, deals[at].copyIds[who]);
    const waits =
      all[at].copies > 1 && deal.state === 3 && job.until === 0 && world.stakes.market.now < all[at].deadline;
    return { at, job, offerId, who, deal, idle: job.state === 0 || deal.state > 6 || waits };
  };
  const draft = () => {
    // What is over, or waits for others, is worth a call now and then.
    let subject = drawSubject();
    for (let again = 0; again < 4 && subject.idle; again += 1) subject = drawSubject();
    const { at, job, offerId, who, deal } = subject;
    const [terms, jobId] = [all[at], jobIds[at]];
    const renter = chance(0.95) ? terms.renter : STRANGER;
    if (job.state === 0 && chance(0.3)) {
      return { caller: renter, ...jobsCall('post', [terms, SPEC]), run: () => model.post(world, renter, terms, SPEC) };
    }
    const provider = chance(0.9) ? PROVIDERS[who] : pick(STRANGER, OPERATOR);
    const likely = {
      0: ['claim'],
      1:
        terms.copies > 1 && job.taken === terms.copies
          ? ['submit', 'conclude']
          : ['claim', 'claim', 'assign', 'assign'],
      2: ['submit', 'submit', 'submit', 'expire'],
      3:
        terms.copies > 1
          ? ['reveal', 'reveal', 'expire']
          : ['accept', 'finalize', 'challenge', 'challenge', 'challenge'],
      4: ['draw', 'resolve', 'decide', 'vote', 'unveil'],
      5: ['collect', 'conclude'],
      6: ['recordJob', 'commitRating', 'commitRating', 'revealRating', 'revealRating'],
    };
    const name = chance(0.75)
      ? pick(...(likely[terms.copies > 1 && job.state === 1 && deal.state === 0 ? 1 : deal.state] ?? ['recordJob']))
      : pick(
          ...['claim', 'assign', 'submit', 'cancel', 'accept', 'finalize', 'expire', 'challenge', 'resolve', 'decide'],
          ...['reveal', 'conclude', 'collect', 'recordJob', 'requalify', 'setOperator', 'pause', 'resume', 'unbond'],
          ...['draw', 'vote', 'unveil', 'commitRating', 'revealRating'],
        );
    const simple = (caller, run) => ({ caller, ...jobsCall(name, [terms, offerId]), run });
    switch (name) {
      case 'claim':
        return simple(provider, () => model.claim(world, provider, terms, offerId));
      case 'assign': {
        const validUntil = world.stakes.market.now + (chance(0.9) ? pick(0, 600) : -1);
        const signing = chance(0.85) ? HOST : BAD;
        const at = { chainId: 31_337, jobs: AT.Jobs };
        const signature = signing.sign(digestOf(acceptancePayload(at, { jobId, offerId, validUntil }))).serialized;
        const given = { offerId, validUntil, signer: computeAddress(signing).toLowerCase() };
        const run = () => model.assign(world, renter, terms, given);
        return { caller: renter, ...jobsCall(name, [terms, offerId, validUntil, signature]), run };
      }
      case 'submit': {
        const full =
          terms.copies === 1 ? id('result') : resultCommitment(jobId, PROVIDERS[who], results[at][who], salt);
        const resultId = chance(0.97) ? full : zeroPadValue('0x00', 32);
        const run = () => model.submit(world, provider, terms, offerId, resultId);
        return { caller: provider, ...jobsCall(name, [terms, offerId, resultId]), run };
      }
      case 'cancel': {
        const caller = chance(0.7) ? renter : STRANGER;
        return { caller, ...jobsCall(name, [terms]), run: () => model.cancel(world, caller, terms) };
      }
      case 'accept':
        return simple(renter, () => model.accept(world, renter, terms, offerId));
      case 'finalize':
      case 'expire':
      case 'resolve':
      case 'draw':
      case 'collect':
        return simple(STRANGER, () => model[name](world, terms, offerId));
      case 'challenge': {
        const caller = pick(STRANGER, ...PEOPLE);
        return simple(caller, () => model.challenge(world, caller, terms, offerId));
      }
      case 'decide': {
        const [caller, valid] = [chance(0.95) ? STRANGER : terms.renter, chance(0.3)];
        const run = () => model.decide(world, caller, terms, { offerId, valid });
        return { caller, ...jobsCall(name, [terms, offerId, valid]), run };
      }
      case 'reveal': {
        const shown = { resultId: chance(0.95) ? results[at][who] : id('lie'), salt };
        const run = () => model.reveal(world, terms, offerId, shown);
        return { caller: STRANGER, ...jobsCall(name, [terms, offerId, shown.resultId, salt]), run };
      }
      case 'conclude':
        return { caller: STRANGER, ...jobsCall(name, [terms]), run: () => model.conclude(world, terms) };
      case 'setOperator': {
        const [caller, operator] = [pick(...PROVIDERS), chance(0.8) ? OPERATOR : ETH];
        return { caller, ...jobsCall(name, [operator]), run: () => model.setOperator(world, caller, operator) };
      }
      case 'recordJob':
        return {
          name,
          caller: STRANGER,
          target: AT.Record,
          call: interfaces.Record.encodeFunctionData(name, [terms, offerId]),
          run: () => model.recordJob(world, terms, offerId),
        };
      case 'requalify': {
        const caller = pick(...PROVIDERS);
        const call = interfaces.Record.encodeFunctionData(name, []);
        return { name, caller, target: AT.Record, call, run: () => record.requalify(world, caller) };
      }
      case 'vote':
        return vote(jobId, int(0, 7));
      case 'unveil':
        return unveil(jobId, int(0, 7));
      case 'commitRating':
      case 'revealRating':
        return rate(name, terms, offerId);
      case 'unbond': {
        const role = pick(0, 0, 1);
        const [caller, amount] = [
          pick(...(role === 0 ? PROVIDERS : VALIDATORS)),
          pick(1n, 45n, 90n, 100n, 900n) * WATT,
        ];
        const call = interfaces.Stakes.encodeFunctionData(name, [role, amount]);
        const run = () => ({ ...world, stakes: stakesModel.unbond(world.stakes, caller, role, amount) });
        return { name, caller, target: AT.Stakes, call, run };
      }
      default: {
        const method = name === 'pause' && chance(0.2) ? 'pauseNewDeals' : 'resumeNewDeals';
        const call = interfaces.Parameters.encodeFunctionData(method, []);
        const run = () => ({ ...world, stakes: { ...world.stakes, market: offersModel[method](world.stakes.market) } });
        return { name: method, caller: ADMIN, target: AT.Parameters, call, run };
      }
    }
  };
  const nextTime = () => {
    const { now } = world.stakes.market;
    const edges = all.flatMap((terms, i) => {
      const { until } = model.jobOf(world, jobIds[i]);
      const { deadline, minRun, window } = terms;
      const { commitUntil, revealUntil, epoch } = juries.caseOf(world, jobIds[i]);
      const ofCase = [juries.drawFrom(epoch), commitUntil, revealUntil, revealUntil + model.ARBITER_SECONDS];
      return [deadline, deadline - minRun, until, deadline + window, ...ofCase];
    });
    const recorded = [...world.deals.values()].flatMap(({ recordedAt }) => {
      const blindUntil = recordedAt + record.RATING_COMMIT_SECONDS;
      return [blindUntil, blindUntil + record.RATING_REVEAL_SECONDS];
    });
    const rejected = PROVIDERS.map((one) => record.standingOf(world, one).rejectedAt + record.REQUALIFY_SECONDS);
    const edge = pick(...edges, ...rejected, ...recorded) + int(-1, 1);
    if (chance(0.15) && edge > now && edge < now + 40 * DAY) return edge;
    return now + pick(0, 0, 0, 1, int(0, 3600), chance(0.2) ? int(0, DAY) : 1);
  };

  const ops = [];
  const push = (step, time) => {
    const stakes = { ...world.stakes, market: { ...world.stakes.market, now: time } };
    world = { ...world, stakes };
    const { run, ...sent } = step();
    const op = { ...sent, time, answer: NOTHING };
    try {
      world = run();
    } catch (thrown) {
      if (!(thrown instanceof Revert)) throw thrown;
      op.answer = answerOf(thrown);
      op.said = thrown.message;
    }
    op.state = stateHash(world, deals);
    ops.push(op);
  };
  for (const provider of PROVIDERS) {
    const run = () => model.setOperator(world, provider, OPERATOR);
    push(() => ({ caller: provider, ...jobsCall('setOperator', [OPERATOR]), run }), from);
  }
  for (const terms of all) {
    const run = () => model.post(world, terms.renter, terms, SPEC);
    push(() => ({ caller: terms.renter, ...jobsCall('post', [terms, SPEC]), run }), from);
  }
  // A case is drawn when it can be, and its jury sits: what its members say comes between everything else.
  const sessions = [];
  const call = (jobId) => {
    const at = jobIds.indexOf(jobId);
    const { offerId } = model.jobOf(world, jobId);
    const run = () => model.draw(world, all[at], offerId);
    const { epoch, commitUntil } = juries.caseOf(world, jobId);
    if (commitUntil !== 0 || chance(0.1)) return;
    const step = () => ({ caller: STRANGER, ...jobsCall('draw', [all[at], offerId]), run });
    sessions.push({ step, soonest: () => juries.drawFrom(epoch) });
  };
  const convene = (jobId) => {
    const { members } = juries.caseOf(world, jobId);
    for (const seat of members.keys())
      if (chance(0.95)) sessions.push({ step: () => vote(jobId, seat), soonest: () => 0 });
    const soonest = () => {
      const { committed, commitUntil } = juries.caseOf(world, jobId);
      return committed < members.length && chance(0.95) ? commitUntil : 0;
    };
    for (const seat of members.keys()) if (chance(0.95)) sessions.push({ step: () => unveil(jobId, seat), soonest });
  };
  const exchangeRatings = (dealId) => {
    const at = deals.findIndex(({ jobId, copyIds }) => jobId === dealId || copyIds.includes(dealId));
    const copy = deals[at].copyIds.indexOf(dealId);
    const offerId = copy < 0 ? model.jobOf(world, dealId).offerId : OFFER_IDS[copy];
    for (const name of ['commitRating', 'revealRating']) {
      for (const side of ['renter', 'provider']) {
        if (chance(0.9)) sessions.push({ step: () => rate(name, all[at], offerId, side), soonest: () => 0 });
      }
    }
  };
  const convened = new Set();
  for (let step = int(15, 60); step > 0; step -= 1) {
    const inSession = sessions.length > 0 && chance(0.8);
    const { step: next, soonest } = inSession ? sessions.shift() : { step: draft };
    const time = soonest && chance(0.97) ? Math.max(world.stakes.market.now + pick(0, 1, 60), soonest()) : nextTime();
    push(next, time);
    if (inSession && chance(0.7)) step += 1;
    for (const dealId of world.deals.keys()) {
      if (convened.has(dealId)) continue;
      convened.add(dealId);
      exchangeRatings(dealId);
    }
    for (const [jobId, { commitUntil }] of world.cases) {
      if (!convened.has(`draw ${jobId}`)) call(jobId);
      convened.add(`draw ${jobId}`);
      if (commitUntil === 0 || convened.has(jobId)) continue;
      convened.add(jobId);
      convene(jobId);
    }
  }
  return { jobIds, ops };
}

/** `count` histories, each in a world of its own, as JobsReplay.t.sol reads them. */
export function makeFile(seed, count) {
  const random = mulberry(seed);
  const histories = Array.from({ length: count }, () => makeHistory(random));
  return { histories, bytes: encodeBytesArray(histories.map(({ jobIds, ops }) => encodeSent(ops, jobIds))) };
}

export const nameOf = ({ name }) => name;

export const inWords = ({ time, name, caller, call, said }) =>
  `${time} ${name} by ${caller}: ${call} -> ${said ?? 'ok'}`;
