/** The `--data-dir` among the arguments that also go to the host, or null when nobody chose one. The last one counts. */
export function dataDirOf(args: readonly string[]): string | null {
  let found: string | null = null;
  for (const [index, argument] of args.entries()) {
    if (argument === '--data-dir') found = args[index + 1] ?? found;
    else if (argument.startsWith('--data-dir=')) found = argument.slice('--data-dir='.length);
  }
  return found === '' ? null : found;
}
