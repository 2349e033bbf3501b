/**
 * Random histories of two renters' jobs and three providers, with the model's answer and state after every call. Times fall
 * on the edges of deadlines and windows, callers, offers and signers are often the wrong ones. No validator has entered a
 * draw here, so disputes go to the arbiter or are paid.
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
import { OFFERS_ABI } from '../../src/chain/abi/Offers.ts';
import { PARAMETERS_ABI } from '../../src/chain/abi/Parameters.ts';
import { RECORD_ABI } from '../../src/chain/abi/Record.ts';
import { STAKES_ABI } from '../../src/chain/abi/Stakes.ts';
import { VAULT_ABI } from '../../src/chain/abi/Vault.ts';
import { ETH } from '../../src/shared/ids.ts';
import {
  acceptancePayload,
  copyIdOf,
  digestOf,
  jobIdOf,
  offerIdOf,
  resultCommitment,
} from '../../src/shared/typed-data.ts';
import * as model from '../../src/verify/jobs-model.ts';
import * as offersModel from '../../src/verify/offers-model.ts';
import * as recordModel from '../../src/verify/record-model.ts';
import * as stakesModel from '../../src/verify/stakes-model.ts';
import * as vault from '../../src/verify/vault-model.ts';
import { Revert } from '../../src/verify/world.ts';
import { mulberry, packed } from './histories.mjs';

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
  Record: created(12),
  Jobs: created(13),
};
export const TARGET = AT.Jobs;
const ADMIN = address(0xad31);
const TREASURY = address(0x7ea5);
const STRANGER = address(0x5747);
const RENTERS = [address(0x4e17), address(0x4e18)];
const PROVIDERS = [address(0xc4e0), address(0xc4e1), address(0xc4e2)];
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
  for (const [index, one] of PROVIDERS.entries()) {
    market = vault.deposit(stakes.market, AT.Watt, one, STAKED[index]);
    market = vault.authorize(market, one, AT.Stakes, true);
    stakes = stakesModel.stake({ ...stakes, market }, one, 0, STAKED[index]);
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
    cases: new Map(),
    standings: new Map(),
    recorded: new Set(),
  };
}

const jobWords = (world, jobId) => {
  const { offerId, until, taken, submitted, revealed, agreeing, state } = model.jobOf(world, jobId);
  const offerHash = offerId === null ? 0n : BigInt(keccak256(offerId).slice(0, 42));
  const result = world.results.get(jobId) ?? 0n;
  return [offerHash, until, taken, submitted, revealed, agreeing, state, result, world.challengers.get(jobId) ?? 0n];
};

function stateHash(world, jobIds) {
  const { stakes } = world;
  const { market } = stakes;
  const words = [];
  for (const jobId of jobIds) {
    words.push(...jobWords(world, jobId));
    for (const provider of PROVIDERS) words.push(...jobWords(world, copyIdOf(jobId, provider)));
  }
  for (const one of PEOPLE) {
    words.push(vault.balanceOf(market, one, AT.dollar), vault.lockedOf(market, AT.Jobs, one, AT.dollar));
    words.push(vault.balanceOf(market, one, AT.Watt));
    const standing = recordModel.standingOf(world, one);
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
  let world = freshWorld();

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
      deadline: START + int(DAY, 10 * DAY),
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
  // Each provider always says the same about a job; most say the same.
  const results = jobIds.map(() => PROVIDERS.map(() => id(chance(0.75) ? 'result' : 'other')));
  const salt = id('salt');

  const jobsCall = (name, args) => ({ name, target: AT.Jobs, call: interfaces.Jobs.encodeFunctionData(name, args) });
  const offerOf = (job, jobId) => {
    if (job.offerId !== null && chance(0.95)) return job.offerId;
    const taken = OFFER_IDS.filter((_, i) => model.jobOf(world, copyIdOf(jobId, PROVIDERS[i])).offerId !== null);
    return taken.length > 0 && chance(0.8) ? pick(...taken) : pick(...OFFER_IDS);
  };

  const draft = () => {
    const at = int(0, 2);
    const [terms, jobId] = [all[at], jobIds[at]];
    const job = model.jobOf(world, jobId);
    const renter = chance(0.95) ? terms.renter : STRANGER;
    if (job.state === 0 && chance(0.3)) {
      return { caller: renter, ...jobsCall('post', [terms, SPEC]), run: () => model.post(world, renter, terms, SPEC) };
    }
    const offerId = offerOf(job, jobId);
    const who = OFFER_IDS.indexOf(offerId);
    const provider = chance(0.9) ? PROVIDERS[who] : pick(STRANGER, OPERATOR);
    const deal = terms.copies === 1 ? job : model.jobOf(world, copyIdOf(jobId, PROVIDERS[who]));
    const likely = {
      0: ['claim'],
      1:
        terms.copies > 1 && job.taken === terms.copies
          ? ['submit', 'conclude']
          : ['claim', 'claim', 'assign', 'assign'],
      2: ['submit', 'submit', 'submit', 'expire'],
      3: terms.copies > 1 ? ['reveal', 'reveal', 'expire'] : ['accept', 'finalize', 'challenge', 'challenge'],
      4: ['resolve', 'decide'],
      5: ['collect', 'conclude'],
    };
    const name = chance(0.75)
      ? pick(...(likely[terms.copies > 1 && job.state === 1 && deal.state === 0 ? 1 : deal.state] ?? ['recordJob']))
      : pick(
          ...['claim', 'assign', 'submit', 'cancel', 'accept', 'finalize', 'expire', 'challenge', 'resolve', 'decide'],
          ...['reveal', 'conclude', 'collect', 'recordJob', 'requalify', 'setOperator', 'pause', 'resume', 'unbond'],
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
      case 'cancel':
        return { caller: renter, ...jobsCall(name, [terms]), run: () => model.cancel(world, renter, terms) };
      case 'accept':
        return simple(renter, () => model.accept(world, renter, terms, offerId));
      case 'finalize':
      case 'expire':
      case 'resolve':
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
        return { name, caller, target: AT.Record, call, run: () => recordModel.requalify(world, caller) };
      }
      case 'unbond': {
        const [caller, amount] = [pick(...PROVIDERS), pick(1n, 45n, 90n, 100n, 900n) * WATT];
        const call = interfaces.Stakes.encodeFunctionData(name, [0, amount]);
        const run = () => ({ ...world, stakes: stakesModel.unbond(world.stakes, caller, 0, amount) });
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
      const { endsAt } = world.cases.get(jobIds[i]) ?? { endsAt: 0 };
      return [deadline, deadline - minRun, until, deadline + window, endsAt + model.ARBITER_SECONDS];
    });
    const rejected = PROVIDERS.map(
      (one) => recordModel.standingOf(world, one).rejectedAt + recordModel.REQUALIFY_SECONDS,
    );
    const edge = pick(...edges, ...rejected) + int(-1, 1);
    if (chance(0.15) && edge > now && edge < now + 40 * DAY) return edge;
    return now + pick(0, 0, 0, 1, int(0, 3600), chance(0.2) ? int(0, DAY) : 1);
  };

  const ops = [];
  const push = (step, time) => {
    world = { ...world, stakes: { ...world.stakes, market: { ...world.stakes.market, now: time } } };
    const { run, ...sent } = step();
    const op = { ...sent, time, answer: NOTHING };
    try {
      world = run();
    } catch (thrown) {
      if (!(thrown instanceof Revert)) throw thrown;
      op.answer = answerOf(thrown);
      op.said = thrown.message;
    }
    op.state = stateHash(world, jobIds);
    ops.push(op);
  };
  for (const provider of PROVIDERS) {
    const run = () => model.setOperator(world, provider, OPERATOR);
    push(() => ({ caller: provider, ...jobsCall('setOperator', [OPERATOR]), run }), START);
  }
  for (const terms of all) {
    const run = () => model.post(world, terms.renter, terms, SPEC);
    push(() => ({ caller: terms.renter, ...jobsCall('post', [terms, SPEC]), run }), START);
  }
  for (let step = int(15, 60); step > 0; step -= 1) push(draft, nextTime());
  return { jobIds, ops };
}

const SENT = 'tuple(uint40 time, address caller, address target, bytes call, bytes32 answer, bytes32 state)[]';
const coder = AbiCoder.defaultAbiCoder();

/** `count` histories, each in a world of its own, as JobsReplay.t.sol reads them. */
export function makeFile(seed, count) {
  const random = mulberry(seed);
  const histories = Array.from({ length: count }, () => makeHistory(random));
  const bytes = coder.encode(
    ['bytes[]'],
    [histories.map(({ jobIds, ops }) => coder.encode(['bytes32[3]', SENT], [jobIds, ops]))],
  );
  return { histories, bytes };
}

export const nameOf = ({ name }) => name;

export const inWords = ({ time, name, caller, call, said }) =>
  `${time} ${name} by ${caller}: ${call} -> ${said ?? 'ok'}`;
