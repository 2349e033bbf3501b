/**
 * Random histories of three stakers, both modules and a stranger, with the model's answer and state after every call. Times
 * fall on the edges of unbonding, amounts on the edges of what is free, engaged and held.
 */
import { Interface, getCreateAddress, keccak256, toBeHex, zeroPadValue } from 'ethers';
import { PARAMETERS_ABI } from '../../src/chain/abi/Parameters.ts';
import { STAKES_ABI } from '../../src/chain/abi/Stakes.ts';
import { VAULT_ABI } from '../../src/chain/abi/Vault.ts';
import { ETH } from '../../src/shared/ids.ts';
import * as model from '../../src/verify/stakes-model.ts';
import * as vault from '../../src/verify/vault-model.ts';
import { Revert } from '../../src/verify/world.ts';
import { encodeBytesArray, encodeSent, mulberry, packed } from './histories.mjs';

const START = 1_800_000_000;
const DAY = 86_400;
const WATT = 10n ** 18n;
const address = (value) => zeroPadValue(toBeHex(value), 20);

/** As StakesReplay.t.sol has them. */
const created = (nonce) => getCreateAddress({ from: address(0xde9104), nonce }).toLowerCase();
const PARAMETERS = created(1);
const VAULT = created(2);
const TOKEN = created(6);
export const TARGET = created(7);
const ADMIN = address(0xad31);
const TREASURY = address(0x7ea5);
const JOBS = address(0x10b5);
const ATTESTATIONS = address(0xa77e);
const FINDER = address(0xf14d);
const STRANGER = address(0x5747);
const STAKERS = [address(0x4601), address(0x4e17), address(0x4e18)];
/** Every stake there can be: role and account. */
const EVERY = STAKERS.flatMap((staker) => [0, 1].map((role) => [role, staker]));
const SUPPLY = 1_000_000_000n * WATT;
const FUNDED = 10_000n * WATT;

const interfaces = {
  Parameters: new Interface(PARAMETERS_ABI),
  Vault: new Interface(VAULT_ABI),
  Stakes: new Interface(STAKES_ABI),
};
const NOTHING = keccak256('0x');
function answerOf({ contract, error, args }) {
  if (contract === 'Panic') return keccak256(`0x4e487b71${BigInt(args[0]).toString(16).padStart(64, '0')}`);
  return keccak256(interfaces[contract].encodeErrorResult(error, [...args]));
}

function freshWorld() {
  let market = {
    now: START,
    rentals: ETH,
    treasury: TREASURY,
    feeBps: 250,
    newDealsPausedUntil: 0,
    pauseAllowedAt: 0,
    tokens: new Set([ETH, TOKEN]),
    balances: new Map(),
    locks: new Map(),
    reserves: new Map(),
    authorized: new Set(),
    offers: new Map(),
    leases: new Map(),
  };
  for (const staker of STAKERS) {
    market = vault.deposit(market, TOKEN, staker, FUNDED);
    market = vault.authorize(market, staker, TARGET, true);
  }
  return {
    market,
    stakes: TARGET,
    watt: TOKEN,
    jobs: JOBS,
    attestations: ATTESTATIONS,
    supply: SUPPLY,
    minStakes: [100n * WATT, 1000n * WATT],
    bonds: new Map(),
    engaged: new Map(),
    delegates: new Map(),
    checkpoints: new Map(),
  };
}

function stateHash(world) {
  const { market } = world;
  const words = [world.supply, vault.reserveOf(market, TOKEN), vault.balanceOf(market, FINDER, TOKEN)];
  words.push(model.pastVotes(world, ETH, market.now - 1));
  for (const staker of STAKERS) {
    for (const role of [0, 1]) {
      const { staked, unbonding, releaseAt } = model.stakeOf(world, role, staker);
      words.push(staked, unbonding, releaseAt);
      words.push(model.engagedOf(world, JOBS, role, staker), model.engagedOf(world, ATTESTATIONS, role, staker));
      words.push(model.atRiskOf(world, role, staker), model.freeOf(world, role, staker));
      words.push(model.isActive(world, role, staker) ? 1 : 0);
    }
    words.push(model.delegateOf(world, staker), model.votesOf(world, staker));
    words.push(model.pastVotes(world, staker, market.now - 1), model.pastVotes(world, staker, market.now - 3 * DAY));
    words.push(vault.balanceOf(market, staker, TOKEN), vault.lockedOf(market, TARGET, staker, TOKEN));
  }
  return keccak256(packed(words));
}

function makeHistory(random) {
  const int = (low, high) => low + Math.floor(random() * (high - low + 1));
  const pick = (...all) => all[int(0, all.length - 1)];
  const chance = (share) => random() < share;
  const some = (...edges) => {
    const edge = pick(...edges);
    const amount = chance(0.5)
      ? edge
      : pick(edge + 1n, edge - 1n, edge / BigInt(int(2, 5)), BigInt(int(0, 2000)) * WATT);
    return amount < 0n ? 0n : amount;
  };
  const stakesCall = (method, args) => ({ target: TARGET, call: interfaces.Stakes.encodeFunctionData(method, args) });

  const draft = (world) => {
    // Most of it happens to one stake, so that it has a history.
    const role = chance(0.75) ? 0 : 1;
    const who = chance(0.6) ? STAKERS[0] : pick(...STAKERS);
    const module = chance(0.95) ? pick(JOBS, ATTESTATIONS) : STRANGER;
    const { staked, unbonding } = model.stakeOf(world, role, who);
    const free = model.freeOf(world, role, who);
    const balance = vault.balanceOf(world.market, who, TOKEN);
    const name = pick(
      ...['stake', 'stake', 'stake', 'unbond', 'unbond', 'release', 'release', 'engage', 'engage', 'disengage'],
      ...['slash', 'slash', 'delegate', 'authorize', 'withdraw', 'setMinStakes'],
    );
    switch (name) {
      case 'stake': {
        const amount = chance(0.02) ? 2n ** 96n - 1n : some(balance, balance / 4n, 100n * WATT, 1000n * WATT);
        return {
          name,
          caller: who,
          ...stakesCall(name, [role, amount]),
          run: () => model.stake(world, who, role, amount),
        };
      }
      case 'unbond': {
        const amount = some(free, staked);
        return {
          name,
          caller: who,
          ...stakesCall(name, [role, amount]),
          run: () => model.unbond(world, who, role, amount),
        };
      }
      case 'release': {
        const leaving = EVERY.filter(([r, staker]) => model.stakeOf(world, r, staker).unbonding > 0n);
        const [from, caller] = leaving.length > 0 && chance(0.9) ? pick(...leaving) : [role, who];
        return { name, caller, ...stakesCall(name, [from]), run: () => model.release(world, caller, from) };
      }
      case 'engage':
      case 'disengage': {
        const amount = name === 'engage' ? some(free) : some(model.engagedOf(world, module, role, who));
        const run = () => model[name](world, module, role, who, amount);
        return { name, caller: module, ...stakesCall(name, [role, who, amount]), run };
      }
      case 'slash': {
        const slashBps = chance(0.9)
          ? pick(0, 1000, 1000, int(0, 2500), chance(0.3) ? 10_000 : 1)
          : int(10_000, 10_002);
        const atLeast = chance(0.4) ? 0n : some(model.atRiskOf(world, role, who), staked / 8n, staked + unbonding);
        const finder = chance(0.7) ? FINDER : pick(ETH, ...STAKERS);
        const run = () => model.slash(world, module, role, who, { slashBps, atLeast }, finder);
        return { name, caller: module, ...stakesCall(name, [role, who, slashBps, atLeast, finder]), run };
      }
      case 'delegate': {
        const to = pick(ETH, ...STAKERS);
        return { name, caller: who, ...stakesCall(name, [to]), run: () => model.delegate(world, who, to) };
      }
      case 'authorize': {
        const allowed = chance(0.7);
        return {
          name,
          caller: who,
          target: VAULT,
          call: interfaces.Vault.encodeFunctionData(name, [TARGET, allowed]),
          run: () => ({ ...world, market: vault.authorize(world.market, who, TARGET, allowed) }),
        };
      }
      case 'withdraw': {
        const amount = some(balance / 8n, balance, unbonding);
        return {
          name,
          caller: who,
          target: VAULT,
          call: interfaces.Vault.encodeFunctionData(name, [TOKEN, STRANGER, amount]),
          run: () => ({ ...world, market: vault.withdraw(world.market, who, TOKEN, STRANGER, amount) }),
        };
      }
      default: {
        const least = [staked > WATT ? staked : WATT, BigInt(int(1, 1000)) * WATT];
        return {
          name,
          caller: ADMIN,
          target: PARAMETERS,
          call: interfaces.Parameters.encodeFunctionData(name, least),
          run: () => ({ ...world, minStakes: least }),
        };
      }
    }
  };
  const nextTime = (world) => {
    const { now } = world.market;
    const edges = EVERY.map(([role, staker]) => model.stakeOf(world, role, staker).releaseAt);
    const edge = pick(...edges) + int(-1, 1);
    if (chance(0.3) && edge > now) return edge;
    return now + pick(0, 0, 1, int(0, 3600), int(0, 3 * DAY));
  };

  let world = freshWorld();
  const ops = [];
  for (let step = int(10, 40); step > 0; step -= 1) {
    world = { ...world, market: { ...world.market, now: nextTime(world) } };
    const { run, ...sent } = draft(world);
    const op = { ...sent, time: world.market.now, answer: NOTHING };
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

/** `count` histories, each in a world of its own, as StakesReplay.t.sol reads them. */
export function makeFile(seed, count) {
  const random = mulberry(seed);
  const histories = Array.from({ length: count }, () => makeHistory(random));
  return { histories, bytes: encodeBytesArray(histories.map(({ ops }) => encodeSent(ops))) };
}

export const nameOf = ({ name }) => name;

export const inWords = ({ time, name, caller, call, said }) =>
  `${time} ${name} by ${caller}: ${call} -> ${said ?? 'ok'}`;
