/** What a certificate says: every check with what was measured and what was allowed, and one sentence for a person. */
export interface Check {
  name: string;
  ok: boolean;
  measured: number;
  /** Largest `measured` that passes. */
  limit: number;
}

export interface Verdict {
  valid: boolean;
  checks: Check[];
  reason: string;
}

/** A check that passes where `measured` is a number no larger than `limit`. */
export const atMost = (name: string, measured: number, limit: number): Check => ({
  name,
  ok: measured <= limit,
  measured,
  limit,
});

export const refused = (reason: string, checks: Check[] = []): Verdict => ({ valid: false, checks, reason });

/** Valid where every check passes; the reason names the first that does not. */
export function verdictOf(checks: Check[], whenValid: string): Verdict {
  const failed = checks.find((check) => !check.ok);
  if (!failed) return { valid: true, checks, reason: whenValid };
  return refused(`Wrong: ${failed.name} is ${failed.measured}, allowed is at most ${failed.limit}.`, checks);
}
