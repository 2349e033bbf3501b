import { AppError } from '../../shared/errors.ts';
import type { Command, OptionSpec } from './command.ts';

/** A `commonwatt completion bash|zsh` over the same table that runs the commands. */
export const completionCommand = (
  commands: () => readonly Command[],
  globals: Readonly<Record<string, OptionSpec>>,
): Command => ({
  name: 'completion',
  about: 'completion for a shell: source <(commonwatt completion bash)',
  args: ['<shell>'],
  run(context) {
    const shell = context.args[0] ?? '';
    if (shell !== 'bash' && shell !== 'zsh') {
      throw new AppError('bad-input', 'shell must be bash or zsh.', { field: 'shell', next: 'Use completion bash.' });
    }
    const script = bash(commands(), Object.keys(globals));
    const text = shell === 'zsh' ? `autoload -U +X bashcompinit && bashcompinit\n${script}` : script;
    context.print({ shell, script: text }, text);
    return Promise.resolve();
  },
});

const flags = (names: readonly string[]) => names.map((name) => `--${name}`).join(' ');

function bash(commands: readonly Command[], globals: readonly string[]): string {
  const firsts = [...new Set(commands.map(({ name }) => name.split(' ')[0]))].join(' ');
  const groups = Map.groupBy(
    commands.filter(({ name }) => name.includes(' ')),
    ({ name }) => name.split(' ')[0] ?? '',
  );
  const seconds = [...groups].map(
    ([first, members]) => `    "${first}") words="${members.map(({ name }) => name.split(' ')[1]).join(' ')}" ;;`,
  );
  const options = commands.map(({ name, options: own = {} }) => `    "${name}") flags="${flags(Object.keys(own))}" ;;`);
  return `_commonwatt() {
  local word="\${COMP_WORDS[COMP_CWORD]}" words="" flags=""
  local one="\${COMP_WORDS[1]}" two="\${COMP_WORDS[1]} \${COMP_WORDS[2]}"
  case "$one" in
${options.filter((line) => !/"\w+ \w+"/.test(line)).join('\n')}
  esac
  case "$two" in
${options.filter((line) => /"\w+ \w+"/.test(line)).join('\n')}
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then words="${firsts}"
  elif [ "$COMP_CWORD" -eq 2 ]; then case "$one" in
${seconds.join('\n')}
  esac; fi
  case "$word" in -*) words="$flags ${flags(globals)}" ;; esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _commonwatt commonwatt
`;
}
