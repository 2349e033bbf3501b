import path from 'node:path';
import { parseArgs } from 'node:util';
import type { ApiConnection } from '../../api/client.ts';
import { AppError, ERROR_CODES, toAppError } from '../../shared/errors.ts';
import { VERSION } from '../version.ts';
import type { Command, CommandContext, OptionSpec, OptionValues, Options } from './command.ts';
import { completionCommand } from './completion.ts';
import { connectToHost, defaultDataDir } from './connect.ts';
import { table } from './values.ts';

const GLOBALS: Readonly<Record<string, OptionSpec>> = {
  json: { type: 'boolean', about: 'print JSON' },
  'data-dir': {
    type: 'string',
    value: 'DIR',
    about: 'the host’s folder; default $COMMONWATT_DATA_DIR or the user’s own',
  },
  help: { type: 'boolean', about: 'explain a command' },
};

/** Other words for the same command. */
const ALIASES: Readonly<Record<string, string>> = {
  share: 'offer register',
  terminal: 'ssh',
  gpu: 'gpu list',
  wallet: 'wallet status',
  offer: 'offer list',
};

/** Streams and environment of the process, passed in so that tests own them. */
export interface Terminal {
  stdout: NodeJS.WritableStream;
  stderr: NodeJS.WritableStream;
  env: NodeJS.ProcessEnv;
  platform: NodeJS.Platform;
  /** Aborted by Ctrl-C and SIGTERM. */
  signal: AbortSignal;
}

/** Runs one command line. Resolves with the exit code; never throws. */
export async function runCommand(
  argv: readonly string[],
  listed: readonly Command[],
  terminal: Terminal,
): Promise<number> {
  const commands: Command[] = [...listed];
  commands.push(completionCommand(() => commands, GLOBALS));
  const json = argv.slice(0, argv.includes('--') ? argv.indexOf('--') : argv.length).includes('--json');
  const connections: ApiConnection[] = [];
  try {
    const code = await dispatch(argv, commands, terminal, json, connections);
    return code ?? 0;
  } catch (thrown) {
    const error = toAppError(thrown);
    const { code, message, next } = error;
    if (json) terminal.stdout.write(`${JSON.stringify({ error })}\n`);
    else terminal.stderr.write(`commonwatt: ${message}\n${next === undefined ? '' : `${next}\n`}`);
    // The host keeps its own failures in its log; what broke here is written down nowhere else.
    if (thrown instanceof Error && !(thrown instanceof AppError)) terminal.stderr.write(`${thrown.stack ?? ''}\n`);
    return ERROR_CODES[code].exit;
  } finally {
    for (const connection of connections) connection.close();
  }
}

async function dispatch(
  argv: readonly string[],
  commands: readonly Command[],
  { stdout, stderr, env, platform, signal }: Terminal,
  json: boolean,
  connections: ApiConnection[],
): Promise<number | void> {
  const [first = '', second = ''] = argv;
  if (first === '--version') return void stdout.write(`${VERSION}\n`);
  if (first === '' || first === 'help' || first.startsWith('-')) {
    const only = first === 'help' ? argv.slice(1).join(' ') : '';
    if (first !== '' && first !== 'help' && first !== '--help' && first !== '-h') {
      throw badFlag(first, 'Begin with a command; see commonwatt --help.');
    }
    return void stdout.write(help(commands, only));
  }
  const found = lookUp(commands, first, second);
  if (!found) {
    const members = commands.filter(({ name }) => name.startsWith(`${first} `));
    if (argv.includes('--help') && members.length > 0) return void stdout.write(help(members, ''));
    throw new AppError(
      'bad-input',
      `There is no command ${first}${members.length > 0 && second ? ` ${second}` : ''}.`,
      {
        field: 'command',
        next: members.length > 0 ? `One of: ${members.map(({ name }) => name).join(', ')}.` : 'See commonwatt --help.',
      },
    );
  }
  const { command, words } = found;
  const specs = { ...GLOBALS, ...command.options };
  const { values, positionals, rest } = parse(argv.slice(words), specs, command);
  if (values['help'] === true) return void stdout.write(explain(command));
  checkArgs(command, positionals);

  const dataDir = path.resolve(
    typeof values['data-dir'] === 'string' ? values['data-dir'] : defaultDataDir(env, platform),
  );
  const context: CommandContext = {
    args: positionals,
    rest,
    options: optionsOf(values),
    dataDir,
    json,
    signal,
    async api() {
      const connection = await connectToHost(dataDir);
      connections.push(connection);
      return connection.client;
    },
    print(value, lines) {
      const text = json ? JSON.stringify(value) : typeof lines === 'string' ? lines : lines.join('\n');
      stdout.write(`${text}\n`);
    },
    write: (bytes, stream = 1) => void (stream === 2 ? stderr : stdout).write(bytes),
    say: (line) => void stderr.write(`${line}\n`),
  };
  return command.run(context);
}

function lookUp(commands: readonly Command[], first: string, second: string) {
  const named = (name: string) => commands.find((command) => command.name === name);
  const both = named(`${first} ${second}`);
  if (both) return { command: both, words: 2 };
  // `wallet typo` must not run `wallet status`: an alias of a group stands alone.
  const isGroup = commands.some(({ name }) => name.startsWith(`${first} `));
  const alone =
    named(first) ?? (isGroup && second !== '' && !second.startsWith('-') ? undefined : named(ALIASES[first] ?? ''));
  return alone && { command: alone, words: 1 };
}

function parse(argv: readonly string[], specs: Readonly<Record<string, OptionSpec>>, command: Command) {
  const options = Object.fromEntries(
    Object.entries(specs).map(([name, { type, multiple = false }]) => [name, { type, multiple }]),
  );
  const end = argv.indexOf('--');
  const own = end === -1 ? argv : argv.slice(0, end);
  try {
    const { values, positionals } = parseArgs({ args: [...own], options, allowPositionals: true, strict: true });
    return { values: values as OptionValues, positionals, rest: end === -1 ? [] : argv.slice(end + 1) };
  } catch (thrown) {
    const said = (thrown as Error).message;
    const flag = /'(-[^ '=]*)/.exec(said)?.[1] ?? 'option';
    const name = flag.split(' ')[0] ?? flag;
    if ((thrown as { code?: string }).code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') {
      throw badFlag(name, `See commonwatt ${command.name} --help.`);
    }
    throw new AppError('bad-input', `${name}: ${said.split('.')[0] ?? said}.`, {
      field: name,
      next: `See commonwatt ${command.name} --help.`,
      cause: thrown,
    });
  }
}

const badFlag = (flag: string, next: string) =>
  new AppError('bad-input', `There is no option ${flag} here.`, { field: flag, next });

function checkArgs({ name, args = [] }: Command, given: readonly string[]): void {
  args.forEach((arg, index) => {
    if (arg.startsWith('<') && given[index] === undefined) {
      const field = arg.slice(1, -1);
      throw new AppError('bad-input', `${name} needs ${arg}.`, { field, next: `See commonwatt ${name} --help.` });
    }
  });
  const surplus = given[args.length];
  if (surplus !== undefined && !args.at(-1)?.includes('...')) {
    throw new AppError('bad-input', `${name} does not take ${surplus}.`, {
      field: surplus,
      next: args.length > 0 ? 'Put a command behind --.' : `See commonwatt ${name} --help.`,
    });
  }
}

const optionsOf = (values: OptionValues): Options => ({
  text(name) {
    const value = values[name];
    return typeof value === 'string' ? value : undefined;
  },
  flag: (name) => values[name] === true,
  list(name) {
    const value = values[name];
    return Array.isArray(value) ? (value as readonly string[]) : [];
  },
});

const optionRows = (options: Readonly<Record<string, OptionSpec>>) =>
  Object.entries(options).map(([name, { value, about }]) => [
    `  --${name}${value === undefined ? '' : ` ${value}`}`,
    about,
  ]);

const explain = ({ name, about, args = [], options = {} }: Command): string =>
  [
    `commonwatt ${[name, ...args].join(' ')}`,
    '',
    `  ${about}`,
    '',
    ...table([...optionRows(options), ...optionRows(GLOBALS)]),
    '',
  ].join('\n');

function help(commands: readonly Command[], only: string): string {
  const one = commands.find(({ name }) => name === only);
  if (one) return explain(one);
  const exits = Map.groupBy(Object.entries(ERROR_CODES), ([, { exit }]) => exit);
  return [
    'commonwatt COMMAND [options]',
    '',
    ...table(commands.map(({ name, args = [], about }) => [`  ${[name, ...args].join(' ')}`, about])),
    '',
    'Options of every command',
    ...table(optionRows(GLOBALS)),
    '',
    'Exit codes: 0 done; with exec and ssh the program’s own; otherwise',
    ...table(
      [...exits]
        .toSorted(([a], [b]) => a - b)
        .map(([exit, codes]) => [`  ${exit}`, codes.map(([code]) => code).join(', ')]),
    ),
    '',
  ].join('\n');
}
