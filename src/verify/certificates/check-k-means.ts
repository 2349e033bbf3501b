/**
 * k-means by what its result must satisfy: each row with its nearest center, each center the mean of its rows, the inertia
 * their squared distances, and no worse than the job's own first start after a few steps. That proves a clustering which no
 * step improves; whether a better one exists is not known to anybody, and the verdict says so.
 */
import { centred, columnMeans } from '../../shared/columns.ts';
import {
  lloyd,
  meansByLabel,
  nearestCenter,
  restartSeeds,
  shiftLimit,
  squaredDistance,
} from '../../shared/k-means-steps.ts';
import type { KMeansInput, KMeansResult } from '../../shared/kernels.ts';
import { seededRandom } from '../../shared/seeded-random.ts';
import { atMost, refused, verdictOf, type Check, type Verdict } from './verdict.ts';

const TOLERANCE = 1e-9;
/** Steps of the run of one's own that the result must not be worse than. */
const OWN_STEPS = 2;
/**
 * How much worse than that run: only rounding. It starts where the job's first restart starts, and Lloyd's iteration never
 * gets worse, so an honest result cannot fail.
 */
const WORSE_BY = 1 + 1e-9;
/** Up to this many multiplications every row is looked at, beyond it a sample. */
const ALL_ROWS_WORK = 100_000_000;
const SAMPLED_ROWS = 8192;

export function checkKMeans({ x, params }: KMeansInput, result: KMeansResult, seed: number): Verdict {
  const { rows, columns } = x;
  const { k } = params;
  const { labels, inertia, iterations, converged } = result;
  if (result.centers.length !== k || result.centers.some((center) => center.length !== columns)) {
    return refused(`Wrong: the centers are not ${k} rows of ${columns} numbers.`);
  }
  if (labels.length !== rows) return refused(`Wrong: ${labels.length} labels for ${rows} rows.`);
  if (labels.some((label) => label >= k)) return refused(`Wrong: a label beyond the ${k} centers.`);
  const checks: Check[] = [atMost('iterations', iterations, params.maxIterations)];
  if (!converged) checks.push(atMost('iterations left although not converged', params.maxIterations - iterations, 0));

  const means = columnMeans(x);
  const table = centred(x, means);
  const centers = Float64Array.from(result.centers.flat(), (value, at) => value - means[at % columns]!);
  let scatter = 0;
  for (const value of table.data) scatter += value * value;
  const spread = scatter / rows;
  // Adding the mean to a center and taking it off again costs digits where the table lies far from 0.
  const offset = means.reduce((sum, mean) => sum + mean * mean, 0);
  const rounding = (Number.EPSILON * 16) ** 2 * (offset + spread) * columns;

  checks.push(atMost('rows nearer to another center', misplaced(table, centers, labels, seed, rounding), 0));

  if (converged) {
    const own = meansByLabel(table, labels, k);
    checks.push(atMost('centers without rows', own.counts.filter((count) => count === 0).length, 0));
    let shift = 0;
    for (let at = 0; at < centers.length; at += 1) shift += (centers[at]! - own.means[at]!) ** 2;
    const limit = shiftLimit(table, params.tolerance) * (1 + TOLERANCE) + k * (rounding + 1e-12 ** 2 * spread);
    checks.push(atMost('squared distance of the centers from the means of their rows', shift, limit));
  }

  let own = 0;
  for (let i = 0; i < rows; i += 1) own += squaredDistance(table, i, centers, labels[i]!);
  const noise = rows * rounding + 1e-13 * Math.sqrt(rounding * scatter * rows);
  checks.push(atMost('error of the inertia', Math.abs(inertia - own), TOLERANCE * own + noise));
  const steps = Math.min(OWN_STEPS, params.maxIterations);
  const quick = lloyd(table, restartSeeds(table, params, 0), { maxIterations: steps, tolerance: params.tolerance });
  checks.push(atMost('inertia', inertia, quick.inertia * WORSE_BY + noise));

  return verdictOf(
    checks,
    converged
      ? 'Stationary: every center is the mean of the rows nearest to it. That no better clustering exists is not proven; nobody can.'
      : 'Stopped at the limit of iterations before it was stationary: labels and inertia fit the centers, more is not proven.',
  );
}

function misplaced(
  table: { rows: number; columns: number; data: Float64Array },
  centers: Float64Array,
  labels: readonly number[],
  seed: number,
  rounding: number,
): number {
  const all = table.rows * centers.length <= ALL_ROWS_WORK || table.rows <= SAMPLED_ROWS;
  const random = seededRandom(seed, 2);
  let wrong = 0;
  for (let draw = 0; draw < (all ? table.rows : SAMPLED_ROWS); draw += 1) {
    const i = all ? draw : Math.floor(random() * table.rows);
    const claimed = squaredDistance(table, i, centers, labels[i]!);
    const nearest = nearestCenter(table, i, centers).squared;
    if (claimed > nearest + TOLERANCE * nearest + 4 * Math.sqrt(rounding * nearest) + rounding) wrong += 1;
  }
  return wrong;
}
