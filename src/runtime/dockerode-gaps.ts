import type Dockerode from 'dockerode';

interface Abort {
  abortSignal: AbortSignal;
}

interface AbortableEngine {
  info(options: Abort): Promise<unknown>;
  version(options: Abort): Promise<unknown>;
  ping(options: Abort): Promise<unknown>;
  df(options: Abort): Promise<unknown>;
}

interface AbortableContainer {
  inspect(options: Abort & { size: boolean }): Promise<unknown>;
  stats(options: Abort & { stream: false; 'one-shot': boolean }): Promise<unknown>;
}

/** Calls that take an abort signal in dockerode's code, but not in its types. */
export const abortable = (docker: Dockerode): AbortableEngine => docker;
export const abortableContainer = (container: Dockerode.Container): AbortableContainer => container;
export const abortableNetwork = (network: Dockerode.Network): { inspect(options: Abort): Promise<unknown> } => network;
export const abortableImage = (
  image: Dockerode.Image,
): { tag(options: Abort & { repo: string; tag: string }): Promise<unknown> } => image;

/** As `getImage(name).distribution()`, which takes no signal: what the image's registry says is its digest. */
export const registryDigest = (docker: Dockerode, reference: string, { abortSignal }: Abort): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const path = `/distribution/${reference}/json`;
    const statusCodes = { 200: true, 401: 'no such image', 404: 'no such image', 500: 'server error' };
    docker.modem.dial({ path, method: 'GET', statusCodes, abortSignal }, (failure: unknown, found: unknown) => {
      if (failure) reject(failure);
      else resolve((found as { Descriptor?: { digest?: unknown } } | null)?.Descriptor?.digest);
    });
  });
