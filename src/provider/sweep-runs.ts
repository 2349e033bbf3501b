import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { toAppError } from '../shared/errors.ts';
import { isBytes32, type Bytes32 } from '../shared/ids.ts';
import type { JobRoom } from './job-room.ts';
import { dealOfPin } from './run-plan.ts';
import type { ServedRun } from './served-run.ts';

type Room = Pick<JobRoom, 'runtimes' | 'ledger' | 'log' | 'account' | 'runsDir' | 'content'>;

/**
 * Clears away what earlier lives of this host left: processes, folders and content that no run of this account needs any
 * more. What is of another account is not touched; what runs for no known job is kept and reported.
 * @param runOf the run of a deal as this host goes on with it
 */
export async function sweepRuns(room: Room, runOf: (dealId: Bytes32) => ServedRun | undefined): Promise<void> {
  const { runtimes, ledger, log, account, runsDir } = room;
  const isNeeded = (dealId: Bytes32) => runOf(dealId)?.needsItsParts === true;
  for (const dealId of await runtimes.list().catch((): Bytes32[] => [])) {
    const run = ledger.runs.get(dealId);
    if (!run) log.warn({ dealId }, 'something of ours runs for no known job; left alone');
    else if (run.account === account.address && !isNeeded(dealId)) {
      await runtimes.remove(dealId).catch((thrown: unknown) => {
        log.warn({ dealId, error: toAppError(thrown).message }, 'what a run left could not be removed yet');
      });
    }
  }
  for (const name of await readdir(runsDir).catch((): string[] => [])) {
    // Only what is named as a run is one of ours.
    if (!isBytes32(name) || isNeeded(name)) continue;
    await rm(path.join(runsDir, name), { recursive: true, force: true });
  }
  await sweepPins(room, runOf);
}

async function sweepPins(
  { content, ledger, log, account }: Room,
  runOf: Parameters<typeof sweepRuns>[1],
): Promise<void> {
  for (const { cid, pins } of content.roots()) {
    for (const pin of pins) {
      const dealId = dealOfPin(pin);
      if (dealId === null) continue;
      const served = runOf(dealId);
      const owner = served?.run.account ?? ledger.runs.get(dealId)?.account ?? account.address;
      if (owner !== account.address || served?.needsItsParts || served?.run.resultCid === cid) continue;
      await content.unpin(cid, pin).catch((thrown: unknown) => {
        log.warn({ dealId, error: toAppError(thrown).message }, 'content of a run that is over was not let go');
      });
    }
  }
}
