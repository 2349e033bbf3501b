import { keccak256, toUtf8Bytes } from 'ethers';
import type { JobRequirements } from '../../chain/chain.ts';
import { ETH, type Address, type Bytes32 } from '../../shared/ids.ts';
import type { JobSpec } from '../../shared/job-spec.ts';
import { lateFeeOf, MAX_DEADLINE_SECONDS, MIN_WINDOW_SECONDS, type JobTerms } from '../../shared/job-terms.ts';

/** In which a renter that sleeps can still look at a result; its silence accepts. */
const ACCEPT_WINDOW_SECONDS = 86_400;
/** What arithmetic checks, and what copies reveal, takes no day. */
const SHORT_WINDOW_SECONDS = MIN_WINDOW_SECONDS;
/** Slowest line that is waited for. */
const BYTES_PER_SECOND = 1024 * 1024;
const MARGIN_SECONDS = 120;
/** An image may have to be pulled first: so many times the margin more. */
const IMAGE_MARGINS = 5;
/** Blocks pass between the moment the terms are made and the one they are in a block. */
const MOST_MINING_SECONDS = 60;
const LEAST_MINING_SECONDS = 10;

const TIERS = { accept: 0, redundancy: 2, certificate: 3 } as const;

/** Seconds that a provider has besides the run: fetching inputs, pulling an image, packing, submitting. */
export function transferSeconds(spec: JobSpec, marginSeconds = MARGIN_SECONDS): number {
  const bytes = spec.inputs.reduce((sum, input) => sum + (input.from === 'renter' ? input.bytes : 0), 0);
  const image = spec.work.type === 'docker' ? IMAGE_MARGINS * marginSeconds : 0;
  return marginSeconds + image + Math.ceil(bytes / BYTES_PER_SECOND);
}

const miningSeconds = (marginSeconds = MARGIN_SECONDS): number =>
  Math.max(LEAST_MINING_SECONDS, Math.min(MOST_MINING_SECONDS, Math.floor(marginSeconds / 2)));

export interface TermsParts {
  renter: Address;
  token: Address;
  bounty: bigint;
  spec: JobSpec;
  specText: string;
  requirements: JobRequirements;
  arbiter: Address | null;
  /** Unix seconds by the chain. */
  now: number;
  marginSeconds: number | undefined;
  /** Anything that no other terms of this renter were made from. */
  nonce: string;
}

const copiesOf = ({ verification }: JobSpec): { copies: number; agree: number } =>
  verification.tier === 'redundancy' ? verification : { copies: 1, agree: 1 };

function termsFrom(parts: TermsParts, taker: Address, deadline: number, minRun: number): JobTerms {
  const { spec, specText, requirements, renter } = parts;
  const { copies, agree } = copiesOf(spec);
  const { tier } = spec.verification;
  const { bounty } = parts;
  return {
    renter,
    assignee: taker,
    arbiter: parts.arbiter ?? ETH,
    token: parts.token,
    bounty,
    bond: lateFeeOf({ bounty, copies }),
    deadline: Math.min(deadline, parts.now + MAX_DEADLINE_SECONDS - MOST_MINING_SECONDS),
    minRun,
    window: tier === 'accept' ? ACCEPT_WINDOW_SECONDS : SHORT_WINDOW_SECONDS,
    minStake: requirements.minProviderStake,
    gpuCount: spec.resources.gpuCount,
    gpuMemoryGb: spec.resources.gpuMemoryGb,
    tier: TIERS[tier],
    copies,
    agree,
    feeBps: requirements.feeBps,
    slashBps: requirements.slashBps,
    specHash: keccak256(toUtf8Bytes(specText)) as Bytes32,
    salt: keccak256(toUtf8Bytes(`job:${renter}:${parts.nonce}`)) as Bytes32,
  };
}

/**
 * Terms that put the bounty into escrow while nobody is chosen. Where this host chooses, they name the renter itself, so
 * that nobody else can take the job meanwhile.
 */
export function waitingTerms(parts: TermsParts, assignment: 'mine' | 'open'): JobTerms {
  const { queueSeconds, runSeconds, totalSeconds } = parts.spec.timeouts;
  const minRun = runSeconds + transferSeconds(parts.spec, parts.marginSeconds);
  const whole = Math.max(minRun + miningSeconds(parts.marginSeconds), totalSeconds ?? queueSeconds + minRun);
  return termsFrom(parts, assignment === 'mine' ? parts.renter : ETH, parts.now + whole, minRun);
}

/**
 * Terms for chosen providers, assigned in the transaction that posts them: the deadline is as near as the run allows, so
 * that one that dies costs no more than its own time. Several copies can name no single taker.
 */
export function assignedTerms(parts: TermsParts, provider: Address): JobTerms {
  const minRun = parts.spec.timeouts.runSeconds + transferSeconds(parts.spec, parts.marginSeconds);
  const { copies } = copiesOf(parts.spec);
  return termsFrom(
    parts,
    copies === 1 ? provider : ETH,
    parts.now + minRun + miningSeconds(parts.marginSeconds),
    minRun,
  );
}
