import type { PeerConnection } from '../../peer/peer-link.ts';
import type { Bytes32 } from '../../shared/ids.ts';
import type { RunStatus } from '../../shared/job-protocol.ts';
import type { JobTask, JobTaskDeal } from '../../store/ledger.ts';
import { askJob, type ProviderAt, type ProviderLines } from './provider-lines.ts';
import { currentDeals } from './task-facts.ts';

const BEGIN_AGAIN_MS = 1000;

export interface TaskLinesParts {
  lines: ProviderLines;
  signal: AbortSignal;
  task(): JobTask;
  providerOf(deal: JobTaskDeal): ProviderAt | null;
  /** What a provider says is shown; figures that are new go into the book. */
  onStatus(deal: JobTaskDeal, status: RunStatus): void;
  /** What is known about a run now is different. */
  onChange(): void;
}

/** The lines to those who run one task now: tells them to begin, hears how it goes. */
export class TaskLines {
  /** What providers say about their runs now. */
  readonly live = new Map<Bytes32, RunStatus>();
  readonly #parts: TaskLinesParts;
  readonly #followed = new Map<Bytes32, () => void>();

  constructor(parts: TaskLinesParts) {
    this.#parts = parts;
  }

  /** @returns false where a provider's offer is not known here yet: ask again */
  follow(): boolean {
    let all = true;
    for (const deal of currentDeals(this.#parts.task())) {
      if (deal.phase !== 'assigned' || this.#followed.has(deal.dealId)) continue;
      const provider = this.#parts.providerOf(deal);
      if (!provider) {
        all = false;
        continue;
      }
      const leave = this.#parts.lines.follow(provider, {
        dealId: deal.dealId,
        onUp: (connection) => this.#begin(deal.dealId, connection),
        onStatus: (status) => this.#heard(status),
        onDown: () => {
          this.live.delete(deal.dealId);
          this.#parts.onChange();
        },
      });
      this.#followed.set(deal.dealId, leave);
    }
    return all;
  }

  leave(): void {
    for (const leave of this.#followed.values()) leave();
    this.#followed.clear();
    this.live.clear();
  }

  async #begin(dealId: Bytes32, connection: PeerConnection): Promise<void> {
    const { signal } = this.#parts;
    const body = { dealId, secrets: this.#parts.task().secrets ?? {} };
    const status = await askJob(connection, 'job.begin', body, { signal, timeoutMs: 30_000 });
    this.#heard(status);
    if (status.phase !== 'unknown') return;
    // Its view of the chain is behind ours.
    const timer = setTimeout(() => {
      if (this.#followed.has(dealId)) void this.#begin(dealId, connection).catch(() => undefined);
    }, BEGIN_AGAIN_MS);
    timer.unref();
  }

  #heard(status: RunStatus): void {
    const dealId = status.dealId as Bytes32;
    const deal = currentDeals(this.#parts.task()).find((one) => one.dealId === dealId);
    if (!deal || this.#parts.signal.aborted) return;
    this.live.set(dealId, status);
    this.#parts.onStatus(deal, status);
  }
}
