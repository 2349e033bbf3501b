import type { ApiClient } from '../../api/contract.ts';

/** One `--name` of a command. */
export interface OptionSpec {
  type: 'string' | 'boolean';
  /** May be given several times. */
  multiple?: boolean;
  /** Shown after the name: `--for DURATION`. */
  value?: string;
  about: string;
}

export type OptionValues = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

/** What a running command has at hand. */
export interface CommandContext {
  /** Positional arguments, in order. Required ones are there. */
  args: readonly string[];
  /** What stood behind `--`. */
  rest: readonly string[];
  options: Options;
  dataDir: string;
  json: boolean;
  /** The running host's interface. @throws AppError `host-down` */
  api(): Promise<ApiClient>;
  /** The result, on stdout: the value itself with `--json`, else the lines. */
  print(value: unknown, lines: string | readonly string[]): void;
  /** Raw bytes on stdout. */
  write(bytes: Uint8Array, stream?: 1 | 2): void;
  /** Progress, on stderr. */
  say(line: string): void;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
}

/** Typed access to what was given. */
export interface Options {
  text(name: string): string | undefined;
  flag(name: string): boolean;
  list(name: string): readonly string[];
}

export interface Command {
  /** `wallet deposit` */
  name: string;
  about: string;
  /** `<rental>` required, `[query...]` optional. */
  args?: readonly string[];
  options?: Readonly<Record<string, OptionSpec>>;
  /** Resolves with the exit code where it is not 0. */
  run(context: CommandContext): Promise<number | void>;
}
