const BINARY = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** 26843545600 -> "25 GiB"; three significant digits at most. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let step = 0;
  while (value >= 1024 && step < BINARY.length - 1) {
    value /= 1024;
    step += 1;
  }
  return `${value >= 100 || Number.isInteger(value) ? Math.round(value) : value.toFixed(1)} ${BINARY[step]}`;
}

export const GIB = 1024 ** 3;
export const MIB = 1024 ** 2;
