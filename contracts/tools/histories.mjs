/**
 * Random histories for the replay: what everybody does to two leases of one offer, with the model's answer and state after
 * every call. Times fall on the edges of windows, seconds on the edges of caps, callers and signers are often the wrong ones.
 */
import { AbiCoder, Interface, ParamType, computeAddress, keccak256, toBeHex, zeroPadValue } from 'ethers';
import { OFFERS_ABI } from '../../src/chain/abi/Offers.ts';
import { PARAMETERS_ABI } from '../../src/chain/abi/Parameters.ts';
import { RENTALS_ABI } from '../../src/chain/abi/Rentals.ts';
import { VAULT_ABI } from '../../src/chain/abi/Vault.ts';
import { addressesFrom } from '../../src/chain/abi/deployment.ts';
import { ETH } from '../../src/shared/ids.ts';
import { TERMS_TUPLE, leaseIdOf, offerIdOf } from '../../src/shared/typed-data.ts';
import * as offers from '../../src/verify/offers-model.ts';
import * as rentals from '../../src/verify/rentals-model.ts';
import * as vault from '../../src/verify/vault-model.ts';
import { Revert } from '../../src/verify/world.ts';

const START = 1_800_000_000;
const DAY = 86_400;
const address = (value) => zeroPadValue(toBeHex(value), 20);
const keyAddress = (key) => computeAddress(zeroPadValue(toBeHex(key), 32)).toLowerCase();

/** As Replay.t.sol has them. */
const DEPLOYER = address(0xde9101);
const AT = addressesFrom(DEPLOYER, 0);
const ADMIN = address(0xad31);
const RENTERS = [address(0x4e17), address(0x4e18)];
const PROVIDER = address(0x4601);
const TREASURY = address(0x7ea5);
const STRANGER = address(0x5747);
const OUT = address(0xca54);
const KEYS = [ETH, keyAddress(0x5e5510), keyAddress(0x4057), keyAddress(0x3173), keyAddress(0xbad)];
const [, SESSION, HOST, WITNESS] = KEYS;

export const TARGET = AT.Rentals;

/** Small and good enough: the seed is all there is to a history. */
export function mulberry(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const interfaces = {
  Parameters: new Interface(PARAMETERS_ABI),
  Vault: new Interface(VAULT_ABI),
  Offers: new Interface(OFFERS_ABI),
  Rentals: new Interface(RENTALS_ABI),
};
const NOTHING = keccak256('0x');

function answerOf(revert) {
  if (revert.contract === 'Panic')
    return keccak256(`0x4e487b71${BigInt(revert.args[0]).toString(16).padStart(64, '0')}`);
  return keccak256(interfaces[revert.contract].encodeErrorResult(revert.error, [...revert.args]));
}

/** Numbers side by side, 32 bytes each, as `abi.encodePacked` of a uint256 array. */
export function packed(values) {
  const bytes = Buffer.alloc(values.length * 32);
  values.forEach((value, index) => {
    let rest = BigInt(value);
    for (let end = (index + 1) * 32 - 8; rest > 0n; end -= 8, rest >>= 64n) {
      bytes.writeBigUInt64BE(BigInt.asUintN(64, rest), end);
    }
  });
  return bytes;
}

const word = (value) => packed([value]);
const padded = (bytes) => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 31)]);
const fromHex = (hex) => Buffer.from(hex.slice(2), 'hex');

/** Offsets of parts that stand one after the other, then the parts. */
function behindOffsets(parts) {
  let at = parts.length * 32;
  const offsets = parts.map((part) => (at += part.length) - part.length);
  return Buffer.concat([packed(offsets), ...parts]);
}

/**
 * ABI encoding of `Sent[]` (AttestationsReplay.t.sol) behind `before`, static words that come first. By hand: it is most of
 * what a file of histories is, and ethers takes a second for every few megabytes.
 */
export function encodeSent(ops, before = []) {
  const sent = ops.map(({ time, caller, target, call, answer, state }) => {
    const bytes = fromHex(call);
    return Buffer.concat([packed([time, caller, target, 0xc0, answer, state, bytes.length]), padded(bytes)]);
  });
  return Buffer.concat([packed([...before, (before.length + 1) * 32, ops.length]), behindOffsets(sent)]);
}

/** ABI encoding of one `bytes[]`. */
export function encodeBytesArray(list) {
  const items = list.map((bytes) => Buffer.concat([word(bytes.length), padded(bytes)]));
  return Buffer.concat([packed([0x20, list.length]), behindOffsets(items)]);
}

function stateHash(world, { offerId, leaseIds, token }) {
  const words = [];
  for (const id of leaseIds) {
    const l = rentals.leaseOf(world, id);
    words.push(l.openedAt, l.closeAt, l.cap, l.paidSeconds, l.claimSeconds, l.state, l.underclaimed ? 1 : 0);
  }
  const o = world.offers.get(offerId);
  words.push(...(o ? [o.version, o.units, o.taken, o.gpuCount, o.gpuMemoryGb, o.status] : [0, 0, 0, 0, 0, 0]));
  for (const actor of [...RENTERS, PROVIDER, TREASURY]) {
    words.push(vault.balanceOf(world, actor, token), vault.lockedOf(world, AT.Rentals, actor, token));
  }
  words.push(vault.reserveOf(world, token), world.feeBps, world.newDealsPausedUntil, world.pauseAllowedAt);
  words.push(...RENTERS.map((renter) => (world.authorized.has(`${renter} ${AT.Rentals}`) ? 1 : 0)));
  return keccak256(packed(words));
}

/** The world every file of histories starts from, funded as `_fundAll` does. */
function freshWorld() {
  let world = {
    now: START,
    rentals: AT.Rentals,
    treasury: TREASURY,
    feeBps: 250,
    newDealsPausedUntil: 0,
    pauseAllowedAt: 0,
    tokens: new Set([ETH, AT.PracticeDollar]),
    balances: new Map(),
    locks: new Map(),
    reserves: new Map(),
    authorized: new Set(),
    offers: new Map(),
    leases: new Map(),
  };
  for (const renter of RENTERS) {
    for (const token of [ETH, AT.PracticeDollar]) world = vault.deposit(world, token, renter, 10n ** 30n);
  }
  for (const renter of RENTERS) world = vault.authorize(world, renter, AT.Rentals, true);
  return world;
}

/** @returns what the model does with a call */
function model(world, h, op) {
  const sender = { caller: op.caller, value: op.kind <= 1 ? op.value : 0n };
  const terms = h.terms[op.lease];
  const secs = Number(op.a);
  switch (op.kind) {
    case 0:
      return rentals.open(world, sender, terms, secs);
    case 1:
      return rentals.extend(world, sender, terms, secs);
    case 2:
      return rentals.terminate(world, sender, terms, secs);
    case 3:
      return rentals.settle(world, sender, terms, secs, KEYS[op.key1]);
    case 4:
      return rentals.release(world, sender, terms);
    case 5:
      return rentals.raise(world, sender, terms, secs, KEYS[op.key1]);
    case 6:
      return rentals.draw(world, terms, secs, op.caller === terms.witness ? op.caller : KEYS[op.key1]);
    case 7:
      return rentals.close(world, terms, secs, op.b, { renter: KEYS[op.key1], provider: KEYS[op.key2] });
    case 8:
      return rentals.finalize(world, terms);
    case 9:
      return rentals.expire(world, terms);
    case 10:
      return vault.authorize(world, op.caller, AT.Rentals, op.a !== 0n);
    case 11:
      return vault.deposit(world, h.offer.token, op.caller, h.offer.token === ETH ? op.value : op.a);
    case 12:
      return vault.withdraw(world, op.caller, h.offer.token, OUT, op.value);
    case 13:
      return offers.setFee(world, secs);
    case 14:
      return offers.pauseNewDeals(world);
    case 15:
      return offers.resumeNewDeals(world);
    case 16:
      return offers.update(world, op.caller, h.offerId, { ...h.offer, price: op.a, units: op.b });
    case 17:
      return offers.setStatus(world, op.caller, h.offerId, secs);
    default:
      return offers.register(world, op.caller, h.offer, h.salt);
  }
}

const KIND_NAMES = [
  'open',
  'extend',
  'terminate',
  'settle',
  'release',
  'raise',
  'draw',
  'close',
  'finalize',
  'expire',
  'authorize',
  'deposit',
  'withdraw',
  'setFee',
  'pauseNewDeals',
  'resumeNewDeals',
  'update',
  'setStatus',
  'register',
];

/** One history, and the world after it. `index` makes its ids its own. */
function makeHistory(random, world, index) {
  const int = (low, high) => low + Math.floor(random() * (high - low + 1));
  const pick = (...values) => values[int(0, values.length - 1)];
  const chance = (share) => random() < share;
  const salt = zeroPadValue(toBeHex(index + 1), 32);
  const unit = pick(60, 3600, 86_400);
  const offer = {
    gpuType: 'g',
    gpuModel: '',
    region: '',
    features: '',
    token: pick(ETH, AT.PracticeDollar),
    price: pick(
      1n,
      BigInt(int(1, 1_000_000)),
      BigInt(int(1, 1_000_000)) * 10n ** 12n,
      BigInt(int(1, 1000)),
      chance(0.1) ? 7n * 10n ** 28n : 3_500_000n,
    ),
    unit: chance(0.01) ? 61 : unit,
    minSeconds: chance(0.02) ? int(0, 700) : int(60, 600),
    endsBy: world.now + (chance(0.1) ? int(0, 2 * DAY) : int(5 * DAY, 400 * DAY)),
    gpuCount: chance(0.01) ? 256 : int(0, 255),
    gpuMemoryGb: int(0, 65_535),
    units: chance(0.01) ? 0 : pick(1, 2, 2, 2),
    peerKey: salt,
    providerSigner: chance(0.02) ? ETH : HOST,
  };
  const offerId = offerIdOf(PROVIDER, salt);
  const termsOf = (renter, number) => ({
    offerId,
    offerVersion: chance(0.98) ? 1 : 2,
    renter,
    provider: chance(0.98) ? PROVIDER : STRANGER,
    signer: chance(0.98) ? SESSION : pick(ETH, HOST),
    providerSigner: chance(0.98) ? offer.providerSigner : SESSION,
    witness: pick(ETH, WITNESS),
    token: offer.token,
    price: chance(0.98) ? offer.price : offer.price + 1n,
    unit: offer.unit,
    minSeconds: offer.minSeconds,
    endsBy: chance(0.98) ? offer.endsBy : offer.endsBy + 1,
    feeBps: chance(0.98) ? world.feeBps : 251,
    specHash: salt,
    salt: zeroPadValue(toBeHex(number + 1), 32),
  });
  const terms = [termsOf(RENTERS[0], 0), termsOf(pick(...RENTERS), 1)];
  const h = { offer, salt, offerId, terms, leaseIds: terms.map(leaseIdOf), token: offer.token, ops: [] };

  const draft = (kind, caller, rest = {}) => ({
    kind,
    caller,
    value: 0n,
    lease: 0,
    a: 0n,
    b: 0,
    key1: 0,
    key2: 0,
    ...rest,
  });
  const randomSeconds = (lease) =>
    BigInt(
      pick(
        int(0, Math.max(1, lease.cap)),
        lease.cap,
        lease.cap + 1,
        lease.paidSeconds,
        lease.paidSeconds + 1,
        Math.max(0, world.now - lease.openedAt),
        Math.max(0, world.now - lease.openedAt) + 1,
        0xffff_ffff,
        lease.claimSeconds,
      ) % 0x1_0000_0000,
    );
  const nextOp = () => {
    const at = int(0, 1);
    const lease = rentals.leaseOf(world, h.leaseIds[at]);
    const t = terms[at];
    const provider = chance(0.93) ? pick(t.provider, HOST) : pick(STRANGER, t.renter);
    const renter = chance(0.93) ? t.renter : pick(STRANGER, PROVIDER, HOST);
    const secs = randomSeconds(lease);
    const voucherKey = chance(0.85) ? pick(1, 1, 3) : int(0, 4);
    if (lease.state === 0 && chance(h.ops.length < 3 ? 0.9 : 0.3)) {
      const cap = chance(0.1) ? int(0, 600) : int(600, 2 * DAY);
      const deposit = (offer.price * BigInt(cap) + BigInt(offer.unit) - 1n) / BigInt(offer.unit);
      const value = chance(offer.token === ETH ? 0.4 : 0.03) ? deposit + BigInt(int(-1, 1)) : 0n;
      return draft(0, renter, { lease: at, a: BigInt(cap), value: value < 0n ? 0n : value });
    }
    const kind = pick(
      ...(lease.state === 2 && chance(0.6) ? [5, 5, 7, 8, 8] : [1, 1, 2, 2, 3, 4, 5, 6, 6, 6, 6, 7, 8, 9, 9, 0]),
      ...[10, 11, 12, 12, 13, 14, 16, 17],
    );
    switch (kind) {
      case 0:
        return draft(0, renter, { lease: at, a: BigInt(int(60, DAY)) });
      case 1:
        return draft(1, renter, {
          lease: at,
          a: chance(0.05) ? 0xffff_ffffn : BigInt(int(0, DAY)),
          value: chance(0.3) ? BigInt(int(0, 1_000_000)) : 0n,
        });
      case 2:
        return draft(2, renter, { lease: at, a: secs });
      case 3:
      case 5:
        return draft(kind, provider, { lease: at, a: secs, key1: voucherKey });
      case 6:
        return draft(6, pick(STRANGER, HOST, HOST, WITNESS), { lease: at, a: secs, key1: voucherKey });
      case 4:
        return draft(4, provider, { lease: at });
      case 7: {
        const good = chance(0.8);
        const deadline = world.now + (chance(0.85) ? pick(0, 600) : -1);
        return draft(7, STRANGER, {
          lease: at,
          a: secs,
          b: deadline,
          key1: good ? 1 : int(0, 4),
          key2: good ? 2 : int(0, 4),
        });
      }
      case 8:
      case 9:
        return draft(kind, STRANGER, { lease: at });
      case 10:
        return draft(10, pick(...RENTERS), { a: BigInt(chance(0.8) ? 1 : 0) });
      case 11: {
        const amount = BigInt(int(0, 1_000_000));
        return draft(11, pick(...RENTERS), { value: offer.token === ETH ? amount : 0n, a: amount });
      }
      case 12: {
        const caller = pick(...RENTERS, PROVIDER, TREASURY);
        const balance = vault.balanceOf(world, caller, offer.token);
        return draft(12, caller, {
          value: caller === PROVIDER || caller === TREASURY ? balance + BigInt(int(-1, 1)) : BigInt(int(0, 1000)),
        });
      }
      case 13:
        return draft(13, ADMIN, { a: BigInt(chance(0.9) ? int(0, 1000) : 1001) });
      case 14:
        return draft(chance(0.1) ? 14 : 15, ADMIN);
      case 15:
        return draft(15, ADMIN);
      case 16:
        return draft(16, chance(0.9) ? PROVIDER : STRANGER, { a: BigInt(int(0, 1000)), b: int(0, 3) });
      default:
        return draft(17, chance(0.9) ? PROVIDER : STRANGER, { a: BigInt(pick(1, 1, 1, 2, 2, 3)) });
    }
  };
  /** Time goes on, often to the very edge of something. */
  const nextTime = () => {
    const edges = h.leaseIds.flatMap((id) => {
      const lease = rentals.leaseOf(world, id);
      return [lease.openedAt + lease.cap, lease.closeAt, lease.openedAt + lease.cap + rentals.EXPIRY_SECONDS];
    });
    edges.push(world.newDealsPausedUntil, world.pauseAllowedAt);
    const edge = pick(...edges) + int(-1, 1);
    if (chance(0.25) && edge > world.now && edge < world.now + 50 * DAY) return edge;
    return world.now + pick(0, 1, int(0, 60), int(0, 3600), int(0, DAY));
  };

  const length = int(4, 14);
  for (let step = 0; step < length; step += 1) {
    const op = step === 0 ? draft(18, PROVIDER) : nextOp();
    world = { ...world, now: step === 0 ? world.now : nextTime() };
    if (op.value < 0n) op.value = 0n;
    op.time = world.now;
    op.answer = NOTHING;
    try {
      world = model(world, h, op);
    } catch (thrown) {
      if (!(thrown instanceof Revert)) throw thrown;
      op.answer = answerOf(thrown);
      op.said = thrown.message;
    }
    op.state = stateHash(world, h);
    h.ops.push(op);
  }
  return { h, world };
}

const coder = AbiCoder.defaultAbiCoder();
const OFFER_TUPLE =
  'tuple(string gpuType, string gpuModel, string region, string features, address token, uint128 price, uint32 unit, ' +
  'uint32 minSeconds, uint40 endsBy, uint16 gpuCount, uint32 gpuMemoryGb, uint16 units, bytes32 peerKey, address providerSigner)';
const HISTORY = ParamType.from(`tuple(${OFFER_TUPLE} offer, bytes32 salt, ${TERMS_TUPLE}[2] terms, bytes ops)`);

/** `abi.encode` of the operations: every field is one word, so this needs no encoder. */
const encodeOps = (ops) =>
  packed([
    0x20,
    ops.length,
    ...ops.flatMap((op) => [
      op.kind,
      op.time,
      op.caller,
      op.value,
      op.lease,
      op.a,
      op.b,
      op.key1,
      op.key2,
      op.answer,
      op.state,
    ]),
  ]);

/** `count` histories in one world, as Replay.t.sol reads them. */
export function makeFile(seed, count) {
  const random = mulberry(seed);
  const histories = [];
  let world = freshWorld();
  for (let index = 0; index < count; index += 1) {
    const made = makeHistory(random, world, index);
    // What is over is of no further interest to the model; the chain keeps it.
    world = { ...made.world, leases: new Map(), offers: new Map() };
    histories.push(made.h);
  }
  const bytes = coder.encode(
    ['bytes[]'],
    [histories.map((h) => coder.encode([HISTORY], [{ ...h, ops: encodeOps(h.ops) }]))],
  );
  return { histories, bytes };
}

export const nameOf = ({ kind }) => KIND_NAMES[kind];

export const inWords = ({ kind, caller, time, a, b, value, lease, key1, key2, said }) =>
  `${time} ${KIND_NAMES[kind]} by ${caller}: lease ${lease}, a ${a}, b ${b}, value ${value}, keys ${key1} ${key2} -> ${said ?? 'ok'}`;
