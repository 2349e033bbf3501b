/** Vault.sol as values. */
import { ETH, type Address } from '../shared/ids.ts';
import { Revert, withEntry, type World } from './world.ts';

const purse = (account: Address, token: Address) => `${account} ${token}`;
const chest = (module: Address, account: Address, token: Address) => `${module} ${account} ${token}`;

export const balanceOf = (world: World, account: Address, token: Address): bigint =>
  world.balances.get(purse(account, token)) ?? 0n;

export const lockedOf = (world: World, module: Address, account: Address, token: Address): bigint =>
  world.locks.get(chest(module, account, token)) ?? 0n;

export const reserveOf = (world: World, token: Address): bigint => world.reserves.get(token) ?? 0n;

const credit = (world: World, account: Address, token: Address, amount: bigint): World =>
  amount === 0n
    ? world
    : {
        ...world,
        balances: withEntry(world.balances, purse(account, token), balanceOf(world, account, token) + amount),
      };

function debit(world: World, account: Address, token: Address, amount: bigint): World {
  const available = balanceOf(world, account, token);
  if (available < amount) throw new Revert('Vault', 'InsufficientBalance', [account, token, available, amount]);
  return { ...world, balances: withEntry(world.balances, purse(account, token), available - amount) };
}

const addReserve = (world: World, token: Address, amount: bigint): World => ({
  ...world,
  reserves: withEntry(world.reserves, token, reserveOf(world, token) + amount),
});

const addLock = (world: World, module: Address, account: Address, token: Address, amount: bigint): World => ({
  ...world,
  locks: withEntry(world.locks, chest(module, account, token), lockedOf(world, module, account, token) + amount),
});

function spendLock(world: World, module: Address, account: Address, token: Address, amount: bigint): World {
  const locked = lockedOf(world, module, account, token);
  if (locked < amount) throw new Revert('Vault', 'InsufficientLock', [module, account, token, locked, amount]);
  return { ...world, locks: withEntry(world.locks, chest(module, account, token), locked - amount) };
}

export function authorize(world: World, caller: Address, module: Address, authorized: boolean): World {
  const next = new Set(world.authorized);
  if (authorized) next.add(`${caller} ${module}`);
  else next.delete(`${caller} ${module}`);
  return { ...world, authorized: next };
}

/** ETH or a well-behaved token: what the token itself may refuse is not modelled. */
export function deposit(world: World, token: Address, account: Address, amount: bigint): World {
  if (account === ETH) throw new Revert('Vault', 'BadReceiver', [account]);
  if (amount === 0n) throw new Revert('Vault', 'ZeroAmount', []);
  if (!world.tokens.has(token)) throw new Revert('Vault', 'TokenNotAllowed', [token]);
  return credit(addReserve(world, token, amount), account, token, amount);
}

export function withdraw(world: World, caller: Address, token: Address, to: Address, amount: bigint): World {
  if (to === ETH) throw new Revert('Vault', 'BadReceiver', [to]);
  if (amount === 0n) throw new Revert('Vault', 'ZeroAmount', []);
  return addReserve(debit(world, caller, token, amount), token, -amount);
}

export function lock(world: World, module: Address, token: Address, account: Address, amount: bigint): World {
  if (!world.authorized.has(`${account} ${module}`)) throw new Revert('Vault', 'NotAuthorized', [account, module]);
  return addLock(debit(world, account, token, amount), module, account, token, amount);
}

/** `value` is the ETH that comes along with the call. */
export function lockEth(world: World, module: Address, account: Address, amount: bigint, value: bigint): World {
  if (value < amount) throw new Revert('Vault', 'InsufficientBalance', [account, ETH, value, amount]);
  const locked = addLock(addReserve(world, ETH, value), module, account, ETH, amount);
  return credit(locked, account, ETH, value - amount);
}

export const unlock = (world: World, module: Address, token: Address, account: Address, amount: bigint): World =>
  credit(spendLock(world, module, account, token, amount), account, token, amount);

export interface Payment {
  token: Address;
  from: Address;
  to: Address;
  amount: bigint;
  fee: bigint;
  refund: bigint;
}

export function pay(world: World, module: Address, { token, from, to, amount, fee, refund }: Payment): World {
  const spent = spendLock(world, module, from, token, amount + fee + refund);
  return credit(credit(credit(spent, to, token, amount), world.treasury, token, fee), from, token, refund);
}

export const seize = (
  world: World,
  module: Address,
  { token, from, to, amount }: { token: Address; from: Address; to: Address; amount: bigint },
): World => credit(spendLock(world, module, from, token, amount), to, token, amount);
