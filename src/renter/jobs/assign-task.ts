import type { JobRequirements } from '../../chain/chain.ts';
import { AppError, toAppError } from '../../shared/errors.ts';
import type { Address, Bytes32, Hex } from '../../shared/ids.ts';
import { jobTermsAsJson } from '../../shared/job-protocol.ts';
import type { JobTerms } from '../../shared/job-terms.ts';
import { acceptancePayload, signerOf } from '../../shared/typed-data.ts';
import type { IndexedOffer } from '../../store/market-rows.ts';
import { jobTermsFromText, jobTermsToText } from '../../store/terms-text.ts';
import { assignedTerms, type TermsParts } from './make-terms.ts';
import { askJob } from './provider-lines.ts';
import type { FlowRoom } from './job-desk-room.ts';
import type { TaskFlow } from './task-flow.ts';

const ASK_TIMEOUT_MS = 15_000;
/** An acceptance has to hold until its transaction is in a block. */
const LEAST_VALID_SECONDS = 15;

export interface Refusal {
  offerId: Bytes32;
  provider: Address;
  /** In words, for the one who waits. */
  reason: string;
}

interface Acceptance {
  offerId: Bytes32;
  validUntil: number;
  signature: Hex;
}

/** Terms of the posting that an assignment on its way replaces: where it fails, the task still stands under them. */
const beforeKey = (taskId: string): string => `jobs.before.${taskId}`;

/** What both kinds of terms of a task are made from. */
export const termsPartsOf = (
  room: Pick<FlowRoom, 'account' | 'chain' | 'clock' | 'marginSeconds'>,
  flow: TaskFlow,
  money: { token: Address; bounty: bigint },
  requirements: JobRequirements,
  nonce: string,
): TermsParts => ({
  ...money,
  renter: room.account.address,
  spec: flow.spec,
  specText: flow.task.specText,
  requirements,
  arbiter: (flow.file.arbiter?.toLowerCase() as Address | undefined) ?? null,
  // The newest block may be old on a quiet chain.
  now: Math.max(room.chain.now(), room.clock.now()),
  marginSeconds: room.marginSeconds,
  nonce,
});

/**
 * Asks providers and gives them the task in one transaction: the waiting posting is taken back, the terms with a near
 * deadline are posted and assigned. As many offers as the task has copies, all of different providers.
 * @returns those that refused; empty where the task was given away, or does not wait any more
 */
export async function assignTask(
  room: FlowRoom & { requirements(): Promise<JobRequirements> },
  flow: TaskFlow,
  offers: readonly IndexedOffer[],
  nonce: string,
): Promise<Refusal[]> {
  const before = flow.task.terms;
  const [first] = offers;
  if (flow.task.phase !== 'open' || flow.chosen.length > 0 || !before || !first) return [];
  const { calls } = room.chain;
  // Before anything is waited for: another cycle would choose for it too, and what is promised to it twice is used once.
  flow.chosen = offers.map((offer) => offer.provider);
  try {
    const parts = termsPartsOf(room, flow, before, await room.requirements(), nonce);
    const terms = assignedTerms(parts, first.provider);
    const jobId = calls.jobId(terms);
    const answers = await Promise.all(offers.map((offer) => askProvider(room, flow, { jobId, terms, offer })));
    const refusals = answers.filter((answer) => 'reason' in answer);
    const acceptances = answers.filter((answer) => 'signature' in answer);
    if (refusals.length > 0) return refusals;
    // It may have been taken back while the providers thought about it.
    if (flow.task.phase !== 'open' || flow.task.jobId !== calls.jobId(before) || flow.signal.aborted) return [];
    await give(room, flow, { before, terms, jobId, acceptances });
    return [];
  } finally {
    flow.chosen = [];
  }
}

async function askProvider(
  room: FlowRoom,
  flow: TaskFlow,
  { jobId, terms, offer }: { jobId: Bytes32; terms: JobTerms; offer: IndexedOffer },
): Promise<Acceptance | Refusal> {
  const { offerId, provider, peerKey } = offer;
  const { chain, lines } = room;
  const refused = (reason: string): Refusal => ({ offerId, provider, reason });
  try {
    const connection = await lines.reach({ wallet: provider, peerKey }, flow.signal);
    const { acceptance, reason } = await askJob(
      connection,
      'job.ask',
      {
        offerId,
        terms: jobTermsAsJson(terms),
        spec: flow.task.specText,
      },
      { signal: flow.signal, timeoutMs: ASK_TIMEOUT_MS },
    );
    if (!acceptance) return refused(reason === '' ? 'The provider declines.' : reason);
    const { validUntil } = acceptance;
    const signature = acceptance.signature as Hex;
    if (validUntil < chain.now() + LEAST_VALID_SECONDS) return refused('The provider’s acceptance ends at once.');
    const { jobs } = chain.profile.contracts;
    const place = { chainId: chain.profile.chainId, jobs: jobs ?? terms.token };
    const signer = signerOf(acceptancePayload(place, { jobId, offerId, validUntil }), signature);
    if (signer !== provider && signer !== chain.standing(provider).operator) {
      return refused('The provider’s acceptance is signed by somebody else.');
    }
    return { offerId, validUntil, signature };
  } catch (thrown) {
    flow.signal.throwIfAborted();
    return refused(toAppError(thrown).message);
  }
}

async function give(
  room: FlowRoom,
  flow: TaskFlow,
  {
    before,
    terms,
    jobId,
    acceptances,
  }: { before: JobTerms; terms: JobTerms; jobId: Bytes32; acceptances: readonly Acceptance[] },
): Promise<void> {
  const { chain, ledger, log, account } = room;
  const { calls } = chain;
  ledger.transaction(() => {
    ledger.settings.set(beforeKey(flow.taskId), jobTermsToText(before));
    flow.set({ phase: 'assigning', detail: 'A provider takes it.', terms, jobId });
  });
  const call = calls.batch([
    calls.cancelJob(before),
    calls.postJob(terms, flow.task.specText),
    ...acceptances.map(({ offerId, validUntil, signature }) => calls.assignJob(terms, offerId, validUntil, signature)),
  ]);
  try {
    await account.send(call, { commandId: assignCommand(jobId) });
    // The events of that transaction have moved the task, or will when they are confirmed.
    ledger.settings.remove(beforeKey(flow.taskId));
  } catch (thrown) {
    const error = toAppError(thrown);
    log.info({ taskId: flow.taskId, code: error.code, message: error.message }, 'an assignment was not taken');
    // Signed and stored: it may still be mined, and the events will say.
    if (ledger.outgoing.byCommand(assignCommand(jobId))?.state === 'stored') return;
    takeBack(room, flow);
    throw new AppError(error.code, error.message, { cause: error });
  }
}

const assignCommand = (jobId: Bytes32): string => `job:assign:${jobId}`;

/** The assignment did not happen: the task waits under the terms that it had before. */
function takeBack({ ledger, chain }: FlowRoom, flow: TaskFlow): void {
  const text = ledger.settings.get(beforeKey(flow.taskId));
  if (flow.task.phase !== 'assigning') return;
  ledger.transaction(() => {
    if (typeof text === 'string') {
      const terms = jobTermsFromText(text);
      flow.set({ phase: 'open', detail: '', terms, jobId: chain.calls.jobId(terms) });
    }
    ledger.settings.remove(beforeKey(flow.taskId));
  });
  flow.poke();
}

/** After a restart: an assignment that was signed is waited for, any other never happened. */
export async function recoverAssigning(room: FlowRoom, flow: TaskFlow): Promise<void> {
  const { jobId, terms } = flow.task;
  if (flow.task.phase !== 'assigning' || !jobId || !terms) return;
  const commandId = assignCommand(jobId);
  const stored = room.ledger.outgoing.byCommand(commandId)?.state;
  if (stored === 'stored' || stored === 'mined' || stored === 'reverted') {
    try {
      // Its answer is kept under the command; what is handed in here is not looked at.
      await room.account.send(room.chain.calls.cancelJob(terms), { commandId });
      room.ledger.settings.remove(beforeKey(flow.taskId));
      return;
    } catch (thrown) {
      if (toAppError(thrown).code !== 'reverted') throw thrown;
    }
  }
  if ((await room.chain.reads.jobDeal(jobId)).state === 'none') takeBack(room, flow);
}
