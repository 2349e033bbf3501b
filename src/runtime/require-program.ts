import type { Container } from 'dockerode';
import { AppError } from '../shared/errors.ts';
import type { EngineLink } from './engine-link.ts';

/**
 * Looks for the program in a container that has not started. With an init process the engine itself would not tell.
 * A program given relative to the working folder is not looked for. @throws AppError bad-input where there is none.
 */
export async function requireProgram(
  link: EngineLink,
  container: Container,
  wanted: { program: string; path: readonly string[]; field: string; missing?: AppError | undefined },
): Promise<void> {
  const { program } = wanted;
  const candidates = program.startsWith('/')
    ? [program]
    : program.includes('/')
      ? []
      : wanted.path.map((folder) => `${folder}/${program}`);
  if (candidates.length === 0) return;
  for (const candidate of candidates) {
    const there = await link
      .call((abortSignal) => container.infoArchive({ path: candidate, abortSignal }))
      .then(
        () => true,
        () => false,
      );
    if (there) return;
  }
  throw (
    wanted.missing ??
    new AppError('bad-input', `The image has no program ${program.slice(0, 100)}.`, {
      field: wanted.field,
      next: 'Name a program that the image contains.',
    })
  );
}
