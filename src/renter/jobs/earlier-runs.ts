import type { Chain } from '../../chain/chain.ts';
import type { Clock } from '../../shared/time.ts';
import type { IndexedOffer } from '../../store/market-rows.ts';
import type { Ledger } from '../../store/ledger.ts';

/** Tasks that are looked at, and how long what they said is kept. */
const MOST_TASKS = 1000;
const KEPT_SECONDS = 60;

const middle = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const half = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(half)] ?? 0) + (sorted[Math.ceil(half)] ?? 0)) / 2;
};

const add = (to: Map<string, number[]>, key: string, value: number): void => {
  const values = to.get(key);
  if (values) values.push(value);
  else to.set(key, [value]);
};

const cardOf = ({ gpuModel, gpuCount }: IndexedOffer): string => `${gpuCount} ${gpuModel.toLowerCase()}`;

/**
 * How fast providers were for this computer, as far as it has seen: 2 is twice as fast as usual, undefined where nothing
 * is known. Source: its own verified runs, from the block that assigned them to the block with the result; no word of the
 * provider's counts, and what it takes to fetch the inputs does. Tasks of different submissions cannot be compared, so each
 * run is set against the middle one of its submission. What a provider did with such a card goes before what others did.
 */
export function earlierRuns({
  chain,
  tasks,
  clock,
}: {
  chain: Pick<Chain, 'jobDeals' | 'offer'>;
  tasks: Pick<Ledger['tasks'], 'list'>;
  clock: Pick<Clock, 'now'>;
}): () => (offer: IndexedOffer) => number | undefined {
  let known: { at: number; speedOf: (offer: IndexedOffer) => number | undefined } | null = null;
  const read = (): ((offer: IndexedOffer) => number | undefined) => {
    const runs = tasks.list({ phases: ['verified'], limit: MOST_TASKS }).rows.flatMap(({ batchId, jobId }) =>
      (jobId === null ? [] : chain.jobDeals(jobId)).flatMap(({ state, offerId, assignedAt, submittedAt }) => {
        const offer = chain.offer(offerId);
        if (state !== 'verified' || submittedAt === null || !offer) return [];
        return [{ batchId, offer, seconds: Math.max(1, submittedAt - assignedAt) }];
      }),
    );
    const batches = new Map<string, number[]>();
    for (const { batchId, seconds } of runs) add(batches, batchId, seconds);
    const usual = new Map([...batches].map(([batchId, seconds]) => [batchId, middle(seconds)]));
    const speeds = new Map<string, number[]>();
    for (const { batchId, offer, seconds } of runs) {
      const speed = (usual.get(batchId) ?? seconds) / seconds;
      add(speeds, cardOf(offer), speed);
      add(speeds, `${offer.provider} ${cardOf(offer)}`, speed);
    }
    const speed = new Map([...speeds].map(([key, values]) => [key, middle(values)]));
    return (offer) => speed.get(`${offer.provider} ${cardOf(offer)}`) ?? speed.get(cardOf(offer));
  };
  return () => {
    const at = clock.now();
    if (known === null || at - known.at >= KEPT_SECONDS || at < known.at) known = { at, speedOf: read() };
    return known.speedOf;
  };
}
