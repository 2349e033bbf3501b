/**
 * Small made-up tables to try the kernels with, the same on every computer: drawn from a fixed seed, nothing measured.
 */
import { assertNever } from './errors.ts';
import type { JobModel } from './job-spec.ts';
import { seededRandom } from './seeded-random.ts';

export interface KernelSample {
  /** File name that says what it is. */
  name: string;
  csv: Uint8Array;
  /** What to run it with. */
  params: Readonly<Record<string, number | boolean>>;
  /** Where one column is to be predicted. */
  target?: string;
}

const SEED = 2026;
const ROWS = 200;

/** A made-up table for `model`: 200 rows of 4 numbers, and a target where the model has one. */
export function kernelSample(model: JobModel): KernelSample {
  switch (model) {
    case 'linear_regression':
      return regressionSample();
    case 'k_means':
      return kMeansSample();
    case 'pca':
      return pcaSample();
    default:
      return assertNever(model);
  }
}

/** Nearly normal with deviation 1: twelve even draws summed (Irwin-Hall), so that no platform's logarithm has a say. */
function bell(random: () => number): number {
  let sum = -6;
  for (let draw = 0; draw < 12; draw += 1) sum += random();
  return sum;
}

/** Rent by size, rooms, age and distance: 4.2, 35, -1.5 and -8 a unit around 180, give or take 25. */
function regressionSample(): KernelSample {
  const random = seededRandom(SEED, 1);
  const rows = Array.from({ length: ROWS }, () => {
    const size = 60 + 20 * bell(random);
    const rooms = Math.max(1, Math.round(size / 25 + 0.5 * bell(random)));
    const age = 80 * random();
    const distance = 12 * random();
    return [size, rooms, age, distance, 180 + 4.2 * size + 35 * rooms - 1.5 * age - 8 * distance + 25 * bell(random)];
  });
  return {
    name: 'sample-rents.csv',
    csv: csv(['size', 'rooms', 'age', 'distance', 'rent'], rows),
    params: { intercept: true },
    target: 'rent',
  };
}

/** Three kinds of flowers that do not exist. */
function kMeansSample(): KernelSample {
  const random = seededRandom(SEED, 2);
  const kinds = [
    [5, 3.4, 1.5, 0.3],
    [5.9, 2.8, 4.2, 1.3],
    [6.6, 3, 5.6, 2],
  ];
  const rows = Array.from({ length: ROWS }, (_, i) => kinds[i % 3]!.map((value) => value + 0.3 * bell(random)));
  return {
    name: 'sample-flowers.csv',
    csv: csv(['sepal_length', 'sepal_width', 'petal_length', 'petal_width'], rows),
    params: { k: 3, seed: SEED },
  };
}

/** Four sensors that hear two hidden signals and some noise. */
function pcaSample(): KernelSample {
  const random = seededRandom(SEED, 3);
  const rows = Array.from({ length: ROWS }, () => {
    const loud = 3 * bell(random);
    const soft = bell(random);
    return [loud + soft, loud - soft, 2 * soft + loud / 2, loud / 3].map((value) => value + 0.2 * bell(random));
  });
  return {
    name: 'sample-sensors.csv',
    csv: csv(['north', 'east', 'south', 'west'], rows),
    params: { components: 2 },
  };
}

function csv(header: string[], rows: number[][]): Uint8Array {
  const lines = rows.map((row) => row.map((value) => value.toFixed(3)).join(','));
  return new TextEncoder().encode(`${[header.join(','), ...lines].join('\n')}\n`);
}
