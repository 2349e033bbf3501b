/**
 * Random histories of nine validators and two offers over some days, with the model's answer and state after every call:
 * commitments, secrets kept or betrayed, committees that sign too little or for another, verdicts early, late and forged.
 */
import { Interface, SigningKey, computeAddress, getCreateAddress, keccak256, toBeHex, zeroPadValue } from 'ethers';
import { ATTESTATIONS_ABI } from '../../src/chain/abi/Attestations.ts';
import { OFFERS_ABI } from '../../src/chain/abi/Offers.ts';
import { ETH } from '../../src/shared/ids.ts';
import { attestationPayload, digestOf, offerIdOf } from '../../src/shared/typed-data.ts';
import * as model from '../../src/verify/attestations-model.ts';
import * as offers from '../../src/verify/offers-model.ts';
import { OFFER_STATUS, Revert } from '../../src/verify/world.ts';
import { encodeBytesArray, encodeSent, mulberry, packed } from './histories.mjs';

const START = 1_800_000_000;
const DAY = 86_400;
const { CLEAR, SUSPENDED, DELISTED } = model.STANDING;
const address = (value) => zeroPadValue(toBeHex(value), 20);
const word = (value) => zeroPadValue(toBeHex(value), 32);

/** As AttestationsReplay.t.sol has them. */
const created = (nonce) => getCreateAddress({ from: address(0xde9103), nonce }).toLowerCase();
const OFFERS = created(0);
export const TARGET = created(3);
const PLACE = { chainId: 31_337, attestations: TARGET };
const PROVIDER = address(0x4601);
const STRANGER = address(0x5747);
const KEYS = new Map();
const keyPair = (secret) => {
  const key = new SigningKey(word(secret));
  const who = computeAddress(key).toLowerCase();
  KEYS.set(who, key);
  return who;
};
const VALIDATORS = Array.from({ length: 9 }, (_, index) => keyPair(0x7a11d + index));
const OPERATOR = keyPair(0x09e7a);
const INTRUDER = keyPair(0xbad);
const OFFER_IDS = [0, 1].map((index) => offerIdOf(PROVIDER, word(index)));

const interfaces = { Attestations: new Interface(ATTESTATIONS_ABI), Offers: new Interface(OFFERS_ABI) };
const NOTHING = keccak256('0x');
const answerOf = ({ contract, error, args }) => keccak256(interfaces[contract].encodeErrorResult(error, [...args]));

const offer = {
  providerSigner: PROVIDER,
  token: ETH,
  price: 1n,
  unit: 3600,
  minSeconds: 60,
  endsBy: START + 3650 * DAY,
  gpuCount: 2,
  gpuMemoryGb: 24,
  units: 4,
  version: 1,
  taken: 0,
  status: OFFER_STATUS.ACTIVE,
};

const freshWorld = () => ({
  market: { now: START, offers: new Map(OFFER_IDS.map((id) => [id, offer])) },
  staked: new Map(VALIDATORS.map((validator, index) => [validator, 10_000n * 10n ** 18n * BigInt(1 + index)])),
  minStake: 1000n * 10n ** 18n,
  operators: new Map(),
  barred: new Set(),
  epochs: new Map(),
  standings: new Map(),
});

function stateHash(world) {
  const sitting = model.sittingEpoch(world.market.now);
  const committee = model.committeeOf(world, sitting);
  const words = [committee.length];
  for (let seat = 0; seat < 7; seat += 1) words.push(committee[seat]?.validator ?? 0, committee[seat]?.key ?? 0);
  for (let epoch = sitting - 1; epoch < sitting + 3; epoch += 1) {
    const { seed, candidates, root } = model.epochIn(world, epoch);
    words.push(seed, candidates.length, root);
  }
  for (const id of OFFER_IDS) {
    const { state, epoch, delistedEpoch, delistings } = model.standingOf(world, id);
    const { status, version } = world.market.offers.get(id);
    words.push(state, epoch, delistedEpoch, delistings, status, version);
  }
  for (const validator of VALIDATORS) words.push(world.barred.has(validator) ? 1 : 0, world.staked.get(validator));
  return keccak256(packed(words));
}

const secretOf = (epoch, validator) => keccak256(`0x${word(epoch).slice(2)}${validator.slice(2)}`);

/** A tree of four leaves, one for each offer, and two that nobody proves. */
function treeOf(verdicts) {
  const leaves = [
    model.leafOf(OFFER_IDS[0], verdicts[0]),
    model.leafOf(word(7), SUSPENDED),
    model.leafOf(OFFER_IDS[1], verdicts[1]),
    model.leafOf(word(8), DELISTED),
  ];
  const [left, right] = [model.nodeOf(leaves[0], leaves[1]), model.nodeOf(leaves[2], leaves[3])];
  return {
    root: model.nodeOf(left, right),
    proofs: [
      [leaves[1], right],
      [leaves[3], left],
    ],
  };
}

function makeHistory(random) {
  const int = (low, high) => low + Math.floor(random() * (high - low + 1));
  const pick = (...all) => all[int(0, all.length - 1)];
  const chance = (share) => random() < share;
  const call = (method, args) => interfaces.Attestations.encodeFunctionData(method, args);
  const trees = new Map();
  const treeAt = (epoch) => {
    if (!trees.has(epoch)) {
      const verdicts = [0, 1].map(() => pick(CLEAR, CLEAR, CLEAR, SUSPENDED, DELISTED));
      trees.set(epoch, { verdicts, ...treeOf(verdicts) });
    }
    return trees.get(epoch);
  };
  // Committees sign the same finding again and again.
  const known = new Map();
  const once = (name, make) => {
    if (!known.has(name)) known.set(name, make());
    return known.get(name);
  };
  const sign = (who, epoch, finding) => {
    if (who === ETH) return '0x1234';
    const what = `${epoch} ${finding.root} ${finding.evidence}`;
    const digest = once(what, () => digestOf(attestationPayload(PLACE, epoch, finding)));
    return once(`${who} ${what}`, () => KEYS.get(who).sign(digest).serialized);
  };

  // Each gives a call when its time has come: who sends what, and what the model makes of it.
  const commit = (validator) => (world) => {
    const next = model.epochAt(world.market.now) + 1;
    const secret = secretOf(chance(0.98) ? next : next - 1, validator);
    const commitment = chance(0.98) ? model.commitmentOf(next, validator, secret) : word(0);
    const caller = chance(0.9) ? validator : pick(OPERATOR, STRANGER, VALIDATORS[0]);
    return {
      name: 'commit',
      caller,
      call: call('commit', [validator, commitment]),
      run: () => model.commit(world, caller, validator, commitment),
    };
  };
  const reveal = (epoch, validator) => (world) => {
    const secret = secretOf(chance(0.97) ? epoch : epoch + 1, validator);
    return {
      name: 'reveal',
      caller: STRANGER,
      call: call('reveal', [epoch, validator, secret]),
      run: () => model.reveal(world, epoch, validator, secret),
    };
  };
  const setOperator = (validator) => (world) => ({
    name: 'setOperator',
    caller: validator,
    call: call('setOperator', [OPERATOR]),
    run: () => model.setOperator(world, validator, OPERATOR),
  });
  const attest = (about) => (world) => {
    const epoch = chance(0.95) ? about : about - 1;
    const finding = { root: chance(0.98) ? treeAt(about).root : word(0), evidence: word(int(0, 3)) };
    const drawn = epoch <= model.sittingEpoch(world.market.now) ? model.committeeOf(world, epoch) : [];
    const seats = [0, 1, 2, 3, 4, 5, 6].filter((seat) => seat < drawn.length || chance(0.1));
    while (seats.length > 5 && chance(0.8)) seats.splice(int(0, seats.length - 1), 1);
    if (chance(0.05)) seats.pop();
    if (chance(0.05) && seats.length > 1) seats[seats.length - 1] = seats[0];
    const signatures = seats.map((seat) => ({
      seat,
      signedBy: chance(0.98) ? (drawn[seat]?.key ?? INTRUDER) : pick(INTRUDER, ETH, VALIDATORS[0]),
    }));
    const signed = signatures.map(({ seat, signedBy }) => ({ seat, signature: sign(signedBy, epoch, finding) }));
    return {
      name: 'attest',
      caller: STRANGER,
      call: call('attest', [epoch, finding, signed]),
      run: () => model.attest(world, epoch, finding, signatures),
    };
  };
  const carryOut = (about, index) => (world) => {
    const epoch = chance(0.95) ? about : about - 1;
    const { verdicts, proofs } = treeAt(epoch);
    const to = chance(0.9) ? verdicts[index] : pick(CLEAR, SUSPENDED, DELISTED);
    const proof = chance(0.95) ? proofs[index] : proofs[1 - index];
    const method = { [CLEAR]: 'relist', [SUSPENDED]: 'suspend', [DELISTED]: 'delist' }[to];
    return {
      name: method,
      caller: STRANGER,
      call: call(method, [OFFER_IDS[index], epoch, proof]),
      run: () => model.carryOut(world, to, OFFER_IDS[index], epoch, proof),
    };
  };
  const equivocation = (epoch, validator) => (world) => {
    const key = model.epochIn(world, epoch).signers.get(validator)?.key ?? validator;
    const findings = [
      { root: word(1), evidence: word(2) },
      chance(0.85) ? { root: word(int(1, 2)), evidence: word(3) } : { root: word(1), evidence: word(2) },
    ];
    const both = findings.map((finding) => ({ finding, signedBy: chance(0.9) ? key : pick(INTRUDER, ETH) }));
    const [one, other] = both;
    return {
      name: 'proveEquivocation',
      caller: STRANGER,
      call: call('proveEquivocation', [
        epoch,
        validator,
        ...both.flatMap(({ finding, signedBy }) => [finding, sign(signedBy, epoch, finding)]),
      ]),
      run: () => model.proveEquivocation(world, epoch, validator, one, other),
    };
  };
  const owner = (index) => (world) => {
    const status = pick(OFFER_STATUS.ACTIVE, OFFER_STATUS.ACTIVE, OFFER_STATUS.PAUSED, ...(chance(0.05) ? [3] : []));
    const method = { [OFFER_STATUS.ACTIVE]: 'resume', [OFFER_STATUS.PAUSED]: 'pause', 3: 'delist' }[status];
    return {
      name: method,
      caller: PROVIDER,
      target: OFFERS,
      call: interfaces.Offers.encodeFunctionData(method, [OFFER_IDS[index]]),
      run: () => ({ ...world, market: offers.setStatus(world.market, PROVIDER, OFFER_IDS[index], status) }),
    };
  };

  const plan = [];
  const at = (time, make) => plan.push({ time, make });
  const first = model.epochAt(START) + 1;
  // Six days are what a delisted offer needs at least to come back.
  const days = pick(2, 3, 3, 6);
  for (let epoch = first; epoch < first + days; epoch += 1) {
    const begin = epoch * DAY;
    const around = (edge) => (chance(0.15) ? edge + int(-1, 1) : edge + int(1, 3600));
    for (const validator of VALIDATORS) {
      if (chance(0.93)) at(around(begin - DAY + pick(0, 8, 20) * 3600), commit(validator));
      if (chance(0.9)) at(around(begin + DAY + pick(0, 1, 4) * 3600), reveal(epoch, validator));
      if (chance(0.03)) at(around(begin + DAY + pick(0, 5, 6) * 3600), reveal(epoch, validator));
      if (chance(0.03)) at(begin + int(0, DAY), setOperator(validator));
    }
    const sits = begin + DAY + 6 * 3600;
    at(around(sits), attest(epoch));
    at(around(sits + pick(1, 10, 23) * 3600), attest(epoch));
    for (const index of [0, 1, 0, 1]) {
      at(around(sits + pick(2, 20, 24, 47, 48) * 3600), carryOut(epoch, index));
      if (chance(0.6)) at(begin + int(0, DAY), owner(index));
    }
    if (chance(0.15)) at(around(sits), equivocation(epoch, pick(...VALIDATORS)));
  }
  plan.sort((a, b) => a.time - b.time);

  let world = freshWorld();
  const ops = [];
  for (const { time, make } of plan) {
    if (time < START) continue;
    world = { ...world, market: { ...world.market, now: time } };
    const { name, caller, target = TARGET, call: bytes, run } = make(world);
    const op = { name, time, caller, target, call: bytes, answer: NOTHING };
    try {
      world = run();
    } catch (thrown) {
      if (!(thrown instanceof Revert)) throw thrown;
      op.answer = answerOf(thrown);
      op.said = thrown.message;
    }
    op.state = stateHash(world);
    ops.push(op);
  }
  return { ops };
}

/** `count` histories, each in a world of its own, as AttestationsReplay.t.sol reads them. */
export function makeFile(seed, count) {
  const random = mulberry(seed);
  const histories = Array.from({ length: count }, () => makeHistory(random));
  return { histories, bytes: encodeBytesArray(histories.map(({ ops }) => encodeSent(ops))) };
}

export const nameOf = ({ name }) => name;

export const inWords = ({ time, name, caller, call, said }) =>
  `${time} ${name} by ${caller}: ${call} -> ${said ?? 'ok'}`;
