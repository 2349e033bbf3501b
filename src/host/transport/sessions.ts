import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { AppError } from '../../shared/errors.ts';
import type { Clock } from '../../shared/time.ts';

const SESSION_SECONDS = 30 * 86_400;
const CODE_SECONDS = 600;
const MAX_CODES = 32;
/** Wrong tokens and codes that are looked at within one window; more are turned away unseen. */
const MAX_FAILURES = 10;
const FAILURE_WINDOW_SECONDS = 60;

/** 32 random bytes as 43 characters, made at the first start; whoever can read the file is the owner. */
export function readOrMakeToken(dataDir: string): string {
  const file = path.join(dataDir, 'token');
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  try {
    writeFileSync(file, `${randomBytes(32).toString('base64url')}\n`, { flag: 'wx', mode: 0o600 });
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
    chmodSync(file, 0o600);
  }
  const token = readFileSync(file, 'utf8').trim();
  if (!/^[A-Za-z0-9_-]{43}$/.test(token)) {
    throw new AppError('conflict', `${file} does not hold a token.`, {
      next: 'Delete it; the next start makes a new one.',
    });
  }
  return token;
}

const digest = (text: string) => createHash('sha256').update(text).digest();

/** Equal in constant time, whatever the lengths. */
const same = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b));

type SessionKind = 'token' | 'cookie';

export interface Sessions {
  readonly cookieName: string;
  /** A code for one browser, good once within ten minutes. */
  newCode(): string;
  /** @throws AppError `not-allowed` for a wrong, used or old code, `busy` after too many of those. */
  pair(code: unknown): { cookie: string };
  /** How a caller is known, or undefined. `bearer` is a token without its "Bearer ". */
  recognise(caller: { bearer: string | undefined; cookies: string | undefined }): SessionKind | undefined;
  /** @throws AppError `busy` while too many wrong tokens come in. */
  countFailure(): void;
}

/**
 * Who may speak to this host: programs that can read the token file, and browsers that were paired by a one-time code.
 * A browser's session is a signed cookie, so that it outlives a restart; deleting the token file ends them all.
 */
export function createSessions({ token, port, clock }: { token: string; port: number; clock: Clock }): Sessions {
  // Cookies do not know ports: two hosts on one computer need two names.
  const cookieName = `commonwatt_${port}`;
  const codes = new Map<string, number>();
  let failures = 0;
  let windowEnds = 0;

  const sign = (body: string) => createHmac('sha256', token).update(`session ${body}`).digest('base64url');

  const tooMany = () => {
    if (clock.now() >= windowEnds) {
      failures = 0;
      windowEnds = clock.now() + FAILURE_WINDOW_SECONDS;
    }
    return failures >= MAX_FAILURES;
  };

  const countFailure = () => {
    if (tooMany()) {
      throw new AppError('busy', 'Too many wrong attempts.', {
        next: `Wait ${Math.max(1, windowEnds - clock.now())} seconds and try again.`,
      });
    }
    failures++;
  };

  const validCookie = (value: string) => {
    const [version, expires = '', nonce = '', signature = ''] = value.split('.');
    if (version !== 'v1' || !/^\d{1,12}$/.test(expires)) return false;
    return same(signature, sign(`${expires}.${nonce}`)) && Number(expires) > clock.now();
  };

  return {
    cookieName,
    countFailure,
    newCode() {
      const oldest = codes.keys().next();
      if (codes.size >= MAX_CODES && !oldest.done) codes.delete(oldest.value);
      const code = randomBytes(16).toString('base64url');
      codes.set(digest(code).toString('hex'), clock.now() + CODE_SECONDS);
      return code;
    },
    pair(code) {
      const known = typeof code === 'string' ? digest(code).toString('hex') : '';
      const expires = codes.get(known);
      codes.delete(known);
      if (expires === undefined || expires <= clock.now()) {
        countFailure();
        throw new AppError('not-allowed', 'This sign-in link was used already, or is too old.', {
          field: 'code',
          next: 'Run `commonwatt open` for a new one.',
        });
      }
      const body = `${clock.now() + SESSION_SECONDS}.${randomBytes(16).toString('base64url')}`;
      const attributes = `Path=/; Max-Age=${SESSION_SECONDS}; HttpOnly; SameSite=Strict`;
      return { cookie: `${cookieName}=v1.${body}.${sign(body)}; ${attributes}` };
    },
    recognise({ bearer, cookies }) {
      if (bearer !== undefined) return same(bearer, token) ? 'token' : undefined;
      for (const cookie of (cookies ?? '').split(';')) {
        const [name, value = ''] = cookie.trim().split('=');
        if (name === cookieName && validCookie(value)) return 'cookie';
      }
      return undefined;
    },
  };
}
