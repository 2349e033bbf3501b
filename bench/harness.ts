/** What every benchmark prints: human lines on stderr, one JSON line last on stdout. */
export interface Measurement {
  name: string;
  value: number;
  unit: string;
  baseline: number;
  /** `value / baseline`. */
  ratio: number;
  n: number;
}

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low = Number.NaN, high = Number.NaN] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return (low + high) / 2;
};

const digits = (value: number): number => Number(value.toPrecision(4));

export function report({ name, value, unit, baseline, n }: Omit<Measurement, 'ratio'>): void {
  const line: Measurement = {
    name,
    value: digits(value),
    unit,
    baseline: digits(baseline),
    ratio: digits(value / baseline),
    n,
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

export const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

/**
 * Times the product and what it stands on in turns, so that whatever else the computer does slows both, and reports the
 * medians. Each of the two answers how many milliseconds it took; the product goes once before, to warm up.
 */
export async function compareInTurns(what: {
  name: string;
  rounds: number;
  ours: () => Promise<number>;
  bare: () => Promise<number>;
}): Promise<void> {
  const { name, rounds } = what;
  say(`warm-up ${(await what.ours()).toFixed(0)} ms`);
  const ours: number[] = [];
  const bare: number[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    bare.push(await what.bare());
    ours.push(await what.ours());
    say(`round ${round}/${rounds}: ours ${ours.at(-1)?.toFixed(0)} ms, bare ${bare.at(-1)?.toFixed(0)} ms`);
  }
  report({ name, value: median(ours), unit: 'ms', baseline: median(bare), n: rounds });
}

/** This checkout's own command line, bundled. */
export const COMMAND: readonly string[] = [process.execPath, `${import.meta.dirname}/../dist/host/cli.js`];
