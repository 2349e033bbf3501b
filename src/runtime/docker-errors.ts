import { AppError } from '../shared/errors.ts';

/** What dockerode throws: an Error with the engine's status, or a Node socket error. */
interface Thrown {
  message: string;
  statusCode: number | null;
  code: string | null;
}

function read(thrown: unknown): Thrown {
  if (typeof thrown !== 'object' || thrown === null) return { message: String(thrown), statusCode: null, code: null };
  const { message, statusCode, code } = thrown as { message?: unknown; statusCode?: unknown; code?: unknown };
  return {
    message: typeof message === 'string' ? message : '',
    statusCode: typeof statusCode === 'number' ? statusCode : null,
    code: typeof code === 'string' ? code : null,
  };
}

const SOCKET_CODES = new Set([
  'ECONNREFUSED',
  'ENOENT',
  'ECONNRESET',
  'EPIPE',
  'EACCES',
  'EPERM',
  'ENOTSOCK',
  'ETIMEDOUT',
]);

/** The engine's HTTP status of a failure, null where it gave none. */
export const statusOf = (thrown: unknown): number | null => read(thrown).statusCode;

/** True where the engine did not answer at all. */
export function isEngineDown(thrown: unknown): boolean {
  const { message, statusCode, code } = read(thrown);
  if (statusCode !== null) return false;
  return (code !== null && SOCKET_CODES.has(code)) || /socket hang up|premature close|aborted$/i.test(message);
}

export const engineDown = (cause?: unknown): AppError =>
  new AppError('engine-down', 'The Docker engine of this computer does not answer.', {
    next:
      read(cause).code === 'EACCES'
        ? 'Add your user to the group "docker" and sign in again.'
        : 'Start Docker and try again.',
    ...(cause === undefined ? {} : { cause }),
  });

/** The engine's words without dockerode's frame, in one line of at most 300 characters. */
export const engineWords = (message: string): string =>
  message
    .replace(/^\(HTTP code \d+\) [^-]* - /, '')
    // eslint-disable-next-line no-control-regex -- control characters are what is removed
    .replaceAll(/[\u0000-\u001f\u007f]+/g, ' ')
    .trim()
    .slice(0, 300);

/**
 * Any failure of the engine as one a person can act on. `image` names the reference concerned, where there is one.
 */
export function fromEngine(thrown: unknown, image?: string): AppError {
  if (thrown instanceof AppError) return thrown;
  const { message, statusCode } = read(thrown);
  const cause = { cause: thrown };
  const of = image === undefined ? 'The image' : `The image ${image}`;
  if (thrown instanceof Error && thrown.name === 'AbortError') return new AppError('cancelled', 'Cancelled.', cause);
  if (thrown instanceof Error && thrown.name === 'TimeoutError') {
    return new AppError('timeout', 'The Docker engine took too long to answer.', {
      ...cause,
      next: 'Try again; restart Docker if it stays so.',
    });
  }
  if (isEngineDown(thrown)) return engineDown(thrown);
  if (/no space left on device|disk quota exceeded/i.test(message)) {
    return new AppError('disk-full', 'The disk that holds the Docker images is full.', {
      ...cause,
      next: 'Free space, for example with `docker image prune`, and try again.',
    });
  }
  // The engine says 404 "driver not found" here.
  if (/available, non-overlapping IPv4 address pool/i.test(message)) {
    return new AppError('busy', 'Docker has no address range left for one more network.', {
      ...cause,
      next: 'Remove networks that nothing uses (`docker network prune`), or widen default-address-pools in its daemon.json.',
    });
  }
  if (
    /could not select device driver|CDI device|unresolvable CDI|nvidia-container-cli|unknown or invalid runtime name/i.test(
      message,
    )
  ) {
    return new AppError('toolkit-missing', 'Docker cannot hand the graphics card to a container.', {
      ...cause,
      next: 'Install the NVIDIA Container Toolkit and restart Docker.',
    });
  }
  if (
    /no such image|manifest unknown|manifest for .* not found|pull access denied|repository .* not found|name unknown|no matching manifest/i.test(
      message,
    )
  ) {
    return new AppError('image-missing', `${of} does not exist or is not public.`, {
      ...cause,
      field: 'spec.image',
      next: 'Check its name and tag.',
    });
  }
  if (/invalid reference format|invalid tag|repository name must/i.test(message)) {
    return new AppError('bad-input', `${of} is not a valid image reference.`, {
      ...cause,
      field: 'spec.image',
      next: 'Write it as name:tag or name@sha256:….',
    });
  }
  if (
    /no such host|dial tcp|i\/o timeout|TLS handshake|connection refused|network is unreachable|toomanyrequests|request canceled/i.test(
      message,
    )
  ) {
    return new AppError('image-missing', `${of} is not on this computer and its registry cannot be reached.`, {
      ...cause,
      // Nobody knows whether it exists.
      field: 'registry',
      next: 'Check the internet connection, or choose an image that is already here.',
    });
  }
  if (
    /executable file not found|no such file or directory|permission denied|exec format error|is a directory/i.test(
      message,
    ) &&
    statusCode !== 404
  ) {
    return new AppError('bad-input', `The command cannot be started: ${engineWords(message)}`, {
      ...cause,
      field: 'spec.command',
      next: 'Name a program that the image contains.',
    });
  }
  if (statusCode === 404) return new AppError('not-found', 'The container is gone.', cause);
  if (statusCode === 409) return new AppError('conflict', `Docker refused: ${engineWords(message)}`, cause);
  if (statusCode === 400) return new AppError('bad-input', `Docker refused: ${engineWords(message)}`, cause);
  return new AppError('internal', `Docker failed: ${engineWords(message) || 'no reason given'}`, {
    ...cause,
    next: 'Try again; see the log for details.',
  });
}
