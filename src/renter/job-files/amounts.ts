/** Amounts as the foreign formats write them. All return null for what they do not understand. */

const POWERS: Readonly<Record<string, number>> = { '': 0, k: 1, m: 2, g: 3, t: 4, p: 5 };
const BYTES = /^(\d{1,15}(?:\.\d{1,9})?)\s{0,4}([kmgtp]?)(i?)b?$/i;

/**
 * "4g", "512MiB", 1073741824 -> bytes. Docker, compose and Bacalhau count every unit in 1024s; in SDL, as in Kubernetes,
 * only those with an i (`thousands: true`).
 */
export function parseBytes(value: unknown, { thousands = false } = {}): number | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? value : null;
  if (typeof value !== 'string') return null;
  const match = BYTES.exec(value.trim());
  if (!match) return null;
  const [, digits = '', unit = '', binary = ''] = match;
  const base = thousands && binary === '' ? 1000 : 1024;
  const bytes = Math.ceil(Number(digits) * base ** (POWERS[unit.toLowerCase()] ?? 0));
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** 0.5, "1.5" or "250m" -> processors. */
export function parseCpus(value: unknown): number | null {
  const match = /^(\d{1,6}(?:\.\d{1,6})?)(m?)$/.exec(String(value).trim());
  return match ? Number(match[1]) / (match[2] === 'm' ? 1000 : 1) : null;
}

/** 3 or "3" -> 3. */
export function parseCount(value: unknown): number | null {
  return /^\d{1,9}$/.test(String(value)) ? Number(value) : null;
}
