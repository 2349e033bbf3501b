import { planCycle, type CycleInput, type PlannedTask, type Waiting } from './plan-cycle.ts';

const NUMBERS = new Intl.NumberFormat('en');

/**
 * For tasks that any provider may take by itself: how many offers would do now, and what is against the others. Nothing
 * is given away.
 */
export function openOutlooks(
  { offers, freeOf, ...input }: Omit<CycleInput, 'tasks'>,
  tasks: readonly PlannedTask[],
): Map<string, Waiting> {
  if (tasks.length === 0) return new Map();
  // As if every unit were taken: whoever would do stands under that reason.
  const held = (some: typeof offers) =>
    planCycle({ ...input, offers: some, freeOf: () => 0, leftOut: () => null, tasks }).waiting;
  const withRoom = held(offers.filter((offer) => freeOf(offer) > 0));
  const full = held(offers.filter((offer) => freeOf(offer) <= 0));
  return new Map(
    tasks.map(({ taskId }) => {
      const counts = new Map<string, number>();
      for (const { reason, offers: many } of withRoom.get(taskId)?.reasons ?? []) {
        counts.set(reason === 'taken' ? 'could take it' : reason, many);
      }
      for (const { reason, offers: many } of full.get(taskId)?.reasons ?? []) {
        counts.set(reason, (counts.get(reason) ?? 0) + many);
      }
      const reasons = [...counts].map(([reason, many]) => ({ reason, offers: many }));
      reasons.sort((a, b) => b.offers - a.offers);
      const list = reasons.map(({ reason, offers: many }) => `${NUMBERS.format(many)} ${reason}`).join(', ');
      const sentence = `Any provider may take it. ${list === '' ? 'There are no offers yet.' : `Of the offers, ${list}.`}`;
      return [taskId, { reasons, sentence }] as const;
    }),
  );
}
