/**
 * k-means: k-means++ seeding (Arthur and Vassilvitskii 2007) from ChaCha20's stream `restart` of the seed, Lloyd's iteration,
 * the best of several restarts. Finds a clustering that no single step improves, not the best there is.
 */
import { centred, columnMeans } from '../../shared/columns.ts';
import { lloyd, restartSeeds, type LloydRun } from '../../shared/k-means-steps.ts';
import type { KMeansInput, KMeansResult } from '../../shared/kernels.ts';

/** @throws AppError bad-input where k is larger than the number of different rows. */
export function kMeans({ x, params }: KMeansInput): KMeansResult {
  const means = columnMeans(x);
  const table = centred(x, means);
  let best: LloydRun | undefined;
  for (let restart = 0; restart < params.restarts; restart += 1) {
    const run = lloyd(table, restartSeeds(table, params, restart), params);
    if (!best || run.inertia < best.inertia) best = run;
  }
  const { centers, labels, inertia, iterations, converged } = best!;
  return {
    model: 'k_means',
    centers: Array.from({ length: params.k }, (_, c) =>
      Array.from(means, (mean, j) => centers[c * x.columns + j]! + mean),
    ),
    labels: Array.from(labels),
    inertia,
    iterations,
    converged,
  };
}
