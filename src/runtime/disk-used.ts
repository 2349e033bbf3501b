import type { ContainerInspectInfo } from 'dockerode';
import { abortable, abortableContainer } from './dockerode-gaps.ts';
import type { EngineLink } from './engine-link.ts';

/** Bytes that a container has written into its own layer and into its named volumes, as the engine counts them. */
export async function diskUsed(
  link: EngineLink,
  containerId: string,
  volumes: readonly string[],
  signal?: AbortSignal,
): Promise<number> {
  const options = { signal, timeoutMs: 120_000 };
  const sized = (await link.call(
    (abortSignal) => abortableContainer(link.docker.getContainer(containerId)).inspect({ size: true, abortSignal }),
    options,
  )) as ContainerInspectInfo & { SizeRw?: number };
  let used = sized.SizeRw ?? 0;
  if (volumes.length === 0) return used;
  const all = (await link.call((abortSignal) => abortable(link.docker).df({ abortSignal }), options)) as {
    Volumes?: { Name: string; UsageData?: { Size: number } | null }[] | null;
  };
  for (const volume of all.Volumes ?? [])
    if (volumes.includes(volume.Name)) used += Math.max(0, volume.UsageData?.Size ?? 0);
  return used;
}
