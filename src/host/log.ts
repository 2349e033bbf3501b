import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import path from 'node:path';
import { pino, type Logger } from 'pino';

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface HostLog {
  log: Logger;
  /** Closes the file; later lines are dropped. */
  close(): void;
}

/** Everything under such a name stays out of the log, however deep. */
const SECRET = /mnemonic|password|passphrase|private.?key|secret|signature|authorization|cookie|seed|keystore|^code$/i;
/** Money's token is an address and may be seen; a token of any other kind may not. */
const TOKEN = /token$/i;
const ADDRESS = /^0x[0-9a-f]{40}$/i;
const MAX_DEPTH = 6;

/** The same object without what must never be written down. Errors become their message, code and stack. */
function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return `[${value.length} bytes]`;
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return '[deep]';
  if (value instanceof Error) {
    const { code } = value as { code?: unknown };
    return {
      type: value.name,
      message: value.message,
      ...(typeof code === 'string' ? { code } : {}),
      stack: value.stack,
      ...(value.cause === undefined ? {} : { cause: redact(value.cause, depth + 1) }),
    };
  }
  if (Array.isArray(value)) return value.slice(0, 100).map((item) => redact(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => {
      const hidden =
        (SECRET.test(key) && member !== undefined && member !== null) ||
        (TOKEN.test(key) && typeof member === 'string' && !ADDRESS.test(member));
      return [key, hidden ? '[redacted]' : redact(member, depth + 1)];
    }),
  );
}

/** Lines to `dataDir/log/host.log`; when that is full it becomes `host.1.log`, and so on up to `keep` old files. */
export function openLog(
  dataDir: string,
  { level = 'info', maxBytes = 8 * 1024 * 1024, keep = 3 }: { level?: LogLevel; maxBytes?: number; keep?: number } = {},
): HostLog {
  const folder = path.join(dataDir, 'log');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const name = (generation: number) => path.join(folder, generation === 0 ? 'host.log' : `host.${generation}.log`);
  let file: number | undefined = openSync(name(0), 'a', 0o600);
  let size = fstatSync(file).size;

  const rotate = () => {
    if (file !== undefined) closeSync(file);
    for (let generation = keep - 1; generation >= 0; generation--) {
      try {
        renameSync(name(generation), name(generation + 1));
      } catch (thrown) {
        if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown;
      }
    }
    file = openSync(name(0), 'a', 0o600);
    size = 0;
  };

  const log = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      // Errors are taken apart by `redact` already.
      serializers: { err: (value: unknown) => value },
      formatters: { level: (label) => ({ level: label }), log: (fields) => redact(fields) as Record<string, unknown> },
    },
    {
      // Written at once: the last lines before a crash are the ones that matter.
      write(line) {
        if (file === undefined) return;
        const bytes = Buffer.byteLength(line);
        if (size > 0 && size + bytes > maxBytes) rotate();
        writeSync(file, line);
        size += bytes;
      },
    },
  );
  return {
    log,
    close() {
      if (file !== undefined) closeSync(file);
      file = undefined;
    },
  };
}
