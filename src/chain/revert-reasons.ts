import { Interface } from 'ethers';
import type { ErrorDescription } from 'ethers';
import { AppError } from '../shared/errors.ts';
import type { Address } from '../shared/ids.ts';
import { formatAmount } from '../shared/money.ts';
import { formatSeconds } from '../shared/time.ts';
import {
  erc20Interface,
  governorInterface,
  jobsInterface,
  juriesInterface,
  offersInterface,
  parametersInterface,
  recordInterface,
  rentalsInterface,
  stakesInterface,
  timelockInterface,
  vaultInterface,
} from './contract-interfaces.ts';
import { JOB_REASONS } from './job-revert-reasons.ts';
import type { NetworkContracts, NetworkProfile } from './profile.ts';
import { dateText, type Reason } from './reason.ts';
import { RpcError } from './rpc.ts';

const LEASE_STATES = ['does not exist', 'is open', 'is closing', 'is closed'];
const OFFER_STATES = ['does not exist', 'is active', 'is paused', 'has ended'];
const stateWords = (words: readonly string[], state: unknown) => words[Number(state)] ?? 'is in another state';

/**
 * Custom errors of everything but jobs, in plain words. What neither this nor the jobs' table has is named as the
 * contract names it.
 */
const REASONS: Readonly<Record<string, Reason>> = {
  // Vault
  InsufficientBalance: {
    code: 'insufficient-funds',
    words: (args, amount) =>
      `The deposit account holds ${amount(args['token'], args['available'])}; ${amount(args['token'], args['needed'])} are needed.`,
    next: 'Deposit the rest, or ask for less.',
  },
  InsufficientLock: {
    code: 'reverted',
    words: () => 'Less is locked for this rental than should be paid.',
  },
  NotAuthorized: {
    code: 'not-allowed',
    words: () => 'The wallet has not allowed rentals to lock money of its deposit account yet.',
    next: 'Allow it once, then rent again.',
  },
  InexactTransfer: {
    code: 'unsupported',
    words: () => 'This token does not arrive in full, so it cannot be deposited.',
  },
  BadReceiver: { code: 'bad-input', words: () => 'Money cannot be sent there.', next: 'Choose another address.' },
  EthTransferFailed: {
    code: 'reverted',
    words: () => 'The receiver refused the ETH.',
    next: 'Choose another address.',
  },
  ZeroAmount: { code: 'bad-input', words: () => 'The amount is zero.' },
  TokenNotAllowed: { code: 'unsupported', words: () => 'This network does not accept that token.' },
  // ERC-20
  ERC20InsufficientBalance: {
    code: 'insufficient-funds',
    words: () => 'The wallet does not hold that much of the token.',
    next: 'Get more of it first.',
  },
  ERC20InsufficientAllowance: {
    code: 'not-allowed',
    words: () => 'The wallet has not approved that much of the token for the deposit.',
    next: 'Approve the amount, then deposit.',
  },
  SafeERC20FailedOperation: { code: 'reverted', words: () => 'The token refused the transfer.' },
  // Offers
  OfferExists: { code: 'conflict', words: () => 'This offer is registered already.' },
  UnknownOffer: { code: 'not-found', words: () => 'There is no such offer.' },
  WrongStatus: {
    code: 'offer-unavailable',
    words: (args) => `The offer ${stateWords(OFFER_STATES, args['status'])}.`,
    next: 'Choose another offer.',
  },
  StaleOffer: {
    code: 'offer-changed',
    words: () => 'The provider has changed the offer since you looked at it.',
    next: 'Look at the new terms and rent again.',
  },
  TermsMismatch: {
    code: 'offer-changed',
    words: () => 'The terms are not those of the offer.',
    next: 'Look at the offer again.',
  },
  NoFreeUnit: {
    code: 'offer-unavailable',
    words: () => 'Somebody else has just rented the last free unit.',
    next: 'Choose another offer, or wait until one is free.',
  },
  BadPrice: { code: 'bad-input', words: () => 'The price must be more than zero.' },
  BadUnit: { code: 'bad-input', words: () => 'A price is for a minute, an hour or a day.' },
  BadMinSeconds: { code: 'bad-input', words: () => 'The first charge covers 60 to 600 seconds.' },
  BadEnd: { code: 'bad-input', words: () => 'The offer would end in the past.' },
  BadUnits: { code: 'bad-input', words: () => 'An offer needs at least one unit.' },
  BadHardware: { code: 'bad-input', words: () => 'The number of cards and their memory do not fit together.' },
  TextTooLong: {
    code: 'bad-input',
    words: (args) => `A text of the offer has ${args['bytesGiven']} bytes; ${args['bytesAllowed']} are allowed.`,
  },
  // Rentals
  NotRenter: { code: 'not-allowed', words: () => 'Only the renter can do that.' },
  NotProvider: { code: 'not-allowed', words: () => 'Only the provider can do that.' },
  DealsPaused: {
    code: 'offer-unavailable',
    words: (args) => `New rentals are paused on this network until ${dateText(args['until'])}.`,
    next: 'Running rentals go on; try again then.',
  },
  FeeChanged: {
    code: 'offer-changed',
    words: (args) => `The network fee is ${Number(args['current']) / 100} % now.`,
    next: 'Look at the new price and rent again.',
  },
  LeaseExists: { code: 'conflict', words: () => 'This rental was opened already.' },
  WrongState: { code: 'reverted', words: (args) => `The rental ${stateWords(LEASE_STATES, args['state'])}.` },
  BadSigner: { code: 'bad-input', words: () => 'A key that must sign for this is missing.' },
  CapTooShort: {
    code: 'bad-input',
    words: (args) => `The offer is for ${formatSeconds(Number(args['minSeconds']))} at least.`,
    next: 'Rent for longer.',
  },
  PastOfferEnd: {
    code: 'bad-input',
    words: (args) => `The offer ends at ${dateText(args['endsBy'])}, before the rental would.`,
    next: 'Rent for a shorter time.',
  },
  NothingToDraw: { code: 'conflict', words: () => 'Everything signed so far has been paid.' },
  BadSignature: { code: 'reverted', words: () => 'A signature is not by the key that the rental names.' },
  FinalExpired: {
    code: 'reverted',
    words: () => 'The signatures on the final bill have expired.',
    next: 'Sign again.',
  },
  StillClosing: {
    code: 'conflict',
    words: (args) => `The provider can still answer until ${dateText(args['closeAt'])}.`,
    next: 'Finalize after that.',
  },
  ClosingOver: { code: 'conflict', words: () => 'The 24 hours to show a voucher are over.' },
  NotExpired: { code: 'conflict', words: (args) => `The rental can be expired from ${dateText(args['expiresAt'])}.` },
  // Governance
  GovernorInsufficientProposerVotes: {
    code: 'not-allowed',
    words: (args) => `Proposing takes ${formatAmount(BigInt(String(args['threshold'])), 18)} WATT of stake.`,
    next: 'Stake more, or ask somebody who has it.',
  },
  ValueForToken: { code: 'bad-input', words: () => 'This rental is paid in a token, so no ETH can be sent along.' },
};

const builtIn = new Interface(['error Error(string reason)', 'error Panic(uint256 code)']);
const INTERFACES = [
  rentalsInterface,
  vaultInterface,
  offersInterface,
  jobsInterface,
  juriesInterface,
  recordInterface,
  parametersInterface,
  stakesInterface,
  governorInterface,
  timelockInterface,
  erc20Interface,
  builtIn,
];

/** The names in the table, for a test that holds it against the contracts. */
export const EXPLAINED_ERRORS: readonly string[] = [...Object.keys(REASONS), ...Object.keys(JOB_REASONS)];

function parse(data: string): ErrorDescription | null {
  for (const one of INTERFACES) {
    try {
      const found = one.parseError(data);
      if (found) return found;
    } catch {
      // Right selector, wrong bytes: somebody else's error.
    }
  }
  return null;
}

/** Nodes put the bytes of a revert in `data`, or one or two objects deeper. */
function revertData(value: unknown, depth = 0): string | null {
  if (typeof value === 'string') return /0x(?:[0-9a-f]{2}){4,8192}/i.exec(value)?.[0] ?? null;
  if (depth > 2 || typeof value !== 'object' || value === null) return null;
  const { data, result } = value as { data?: unknown; result?: unknown };
  return revertData(data, depth + 1) ?? revertData(result, depth + 1);
}

/** What is needed of a network to explain its refusals. */
type Named = Pick<NetworkProfile, 'tokens' | 'contracts'>;

/** Contracts share names of errors, with the same bytes: whom was this sent to? */
function tablesFor(to: Address | undefined, { jobs, juries, stakes, record }: NetworkContracts) {
  const aboutJobs = to !== undefined && [jobs, juries, stakes, record].includes(to);
  return aboutJobs ? [JOB_REASONS, REASONS] : [REASONS, JOB_REASONS];
}

function reasonFor({ name, args }: ErrorDescription, tables: readonly Readonly<Record<string, Reason>>[]) {
  // OpenZeppelin has an InsufficientBalance of its own, with other arguments.
  if (name === 'InsufficientBalance' && args.length !== 4) return undefined;
  return tables.find((table) => Object.hasOwn(table, name))?.[name];
}

/**
 * A contract's refusal as an error for people. `data` are the bytes it reverted with, if any.
 * @param to the contract that was called
 */
export function explainRevert(
  data: string | null,
  { tokens, contracts }: Named,
  { to, cause }: { to?: Address | undefined; cause?: unknown } = {},
): AppError {
  const found = data === null ? null : parse(data);
  if (!found) {
    return new AppError('reverted', 'The contract refused this and did not say why.', {
      next: 'Look at where it stands now and try again.',
      cause,
    });
  }
  const amount = (token: unknown, value: unknown): string => {
    const known = tokens.find((one) => one.address === (String(token).toLowerCase() as Address));
    return known ? `${formatAmount(BigInt(String(value)), known.decimals)} ${known.symbol}` : String(value);
  };
  const reason = reasonFor(found, tablesFor(to, contracts));
  if (!reason) {
    const args = found.args.map(String).join(', ').slice(0, 200);
    return new AppError('reverted', `The contract refused: ${found.name}(${args}).`, { cause });
  }
  return new AppError(reason.code, reason.words(found.args, amount), {
    ...(reason.field === undefined ? {} : { field: reason.field }),
    ...(reason.next === undefined ? {} : { next: reason.next }),
    cause,
  });
}

/** What a node refused, as an error for people; anything else comes back as it is. */
export function explainRefusal(thrown: unknown, network: Named, to?: Address): unknown {
  if (!(thrown instanceof RpcError)) return thrown;
  const data = revertData(thrown.data);
  if (data !== null || thrown.code === 3 || /revert/i.test(thrown.message)) {
    return explainRevert(data, network, { to, cause: thrown });
  }
  if (/insufficient funds|exceeds? allowance|insufficient balance/i.test(thrown.message)) {
    return new AppError('insufficient-funds', 'The wallet does not hold enough ETH for this and its network fee.', {
      next: 'Put some ETH into the wallet.',
      cause: thrown,
    });
  }
  return new AppError('network-down', `The node refused: ${thrown.message}`, { cause: thrown });
}
