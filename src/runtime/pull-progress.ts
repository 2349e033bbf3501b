import type { Progress } from '../shared/ready-check.ts';

const MAX_LAYERS = 1000;

interface Layer {
  done: number;
  /** null until the registry has told the layer's size. */
  total: number | null;
  finished: boolean;
}

const size = (value: unknown): number | null =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;

/**
 * Turns the engine's lines about single layers into one progress over all of them, in bytes downloaded. `done` never
 * falls; `total` is null until every layer that must be fetched has told its size.
 */
export function createPullProgress(label: string): (line: Record<string, unknown>) => Progress {
  const layers = new Map<string, Layer>();
  let best = 0;
  return (line) => {
    const { id, status } = line;
    if (typeof id === 'string' && typeof status === 'string') read(layers, id, status, line['progressDetail']);
    let done = 0;
    let total: number | null = layers.size === 0 ? null : 0;
    for (const layer of layers.values()) {
      done += layer.done;
      if (layer.total === null && !layer.finished) total = null;
      else if (total !== null) total += layer.total ?? layer.done;
    }
    best = Math.max(best, done);
    return { label, done: total === null ? best : Math.min(best, total), total, unit: 'bytes' };
  };
}

function read(layers: Map<string, Layer>, id: string, status: string, detail: unknown): void {
  if (status.startsWith('Pulling from ')) return;
  let layer = layers.get(id);
  if (!layer) {
    if (layers.size >= MAX_LAYERS || !/^(Pulling fs layer|Waiting|Downloading|Already exists)/.test(status)) return;
    layer = { done: 0, total: null, finished: false };
    layers.set(id, layer);
  }
  const { current, total } = (typeof detail === 'object' && detail !== null ? detail : {}) as {
    current?: unknown;
    total?: unknown;
  };
  if (status === 'Downloading') {
    // Engines report -1 where the registry names no length.
    layer.total = size(total) === 0 ? layer.total : (size(total) ?? layer.total);
    layer.done = Math.max(layer.done, size(current) ?? 0);
    if (layer.total !== null) layer.done = Math.min(layer.done, layer.total);
  } else if (/^(Already exists|Download complete|Verifying Checksum|Extracting|Pull complete)/.test(status)) {
    layer.finished = true;
    layer.done = layer.total ?? layer.done;
  }
}
