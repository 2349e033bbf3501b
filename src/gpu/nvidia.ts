import type { Device, Sample } from '../shared/gpu.ts';
import type { Log } from '../shared/log.ts';
import { runTool, superviseLines } from './line-child.ts';
import type { Tool } from './line-child.ts';
import {
  OLDER_NAMES,
  SAMPLE_FIELDS,
  STATIC_FIELDS,
  parseCards,
  parseComputeApps,
  parseMigDevices,
  parseProcessMonitor,
  parseSample,
  unknownField,
} from './nvidia-format.ts';
import type { GpuProcess } from './nvidia-format.ts';
import type { CardSource } from './source.ts';

const QUERY_TIMEOUT_MS = 15_000;

/** Where the driver puts its tool: on the path, and in WSL beside it. */
export const NVIDIA_TOOLS: readonly Tool[] = [{ command: 'nvidia-smi' }, { command: '/usr/lib/wsl/lib/nvidia-smi' }];

/** The NVIDIA cards of this computer, or null when there are none (or no driver). */
export async function findNvidia(tools: readonly Tool[], random: () => number, log: Log): Promise<CardSource | null> {
  for (const tool of tools) {
    const cards = await queryCards(tool);
    if (cards.length === 0) continue;
    const list = cards.some((card) => card.mig) ? await runTool(tool, ['-L'], QUERY_TIMEOUT_MS) : null;
    const instances = parseMigDevices(list?.stdout ?? '', cards);
    const blocked = cards.filter((card) => card.mig && !instances.some((device) => device.index === card.index));
    for (const card of blocked) {
      log.warn(
        { card: card.id, model: card.model },
        'card in MIG mode without an instance: nothing on it can be shared',
      );
    }
    return nvidiaSource(tool, cards, [...cards.filter((card) => !card.mig), ...instances], random, log);
  }
  return null;
}

/** A driver that rejects a field is asked again without it. */
async function queryCards(tool: Tool): Promise<Device[]> {
  let fields: string[] = [...STATIC_FIELDS];
  while (fields.length > 0) {
    const args = [`--query-gpu=${fields.join(',')}`, '--format=csv,noheader,nounits'];
    const { exitCode, stdout } = await runTool(tool, args, QUERY_TIMEOUT_MS);
    const rejected = unknownField(stdout);
    if (rejected === null || !fields.includes(rejected)) return exitCode === 0 ? parseCards(stdout, fields) : [];
    fields = fields.filter((field) => field !== rejected);
  }
  return [];
}

function nvidiaSource(
  tool: Tool,
  cards: readonly Device[],
  devices: Device[],
  random: () => number,
  log: Log,
): CardSource {
  let fields: string[] = [...SAMPLE_FIELDS];

  const reject = (field: string) => {
    const older = OLDER_NAMES[field];
    fields = older
      ? fields.map((candidate) => (candidate === field ? older : candidate))
      : fields.filter((candidate) => candidate !== field);
    log.info({ field, instead: older ?? null }, 'this driver does not know a field');
  };

  return {
    devices,
    sample(intervalMs, onSamples) {
      return superviseLines({
        tool,
        args: () => [`--query-gpu=${fields.join(',')}`, '--format=csv,noheader,nounits', '-lms', String(intervalMs)],
        onLines(lines) {
          const atMs = Date.now();
          const samples: Sample[] = [];
          for (const line of lines) {
            const rejected = unknownField(line);
            if (rejected !== null) reject(rejected);
            const sample = parseSample(line, atMs, fields);
            if (sample) samples.push(...spread(sample, cards, devices));
          }
          if (samples.length > 0) onSamples(samples);
        },
        random,
        log,
      });
    },
    async processes() {
      const [apps, monitor] = await Promise.all([
        runTool(
          tool,
          ['--query-compute-apps=gpu_uuid,pid,process_name,used_gpu_memory', '--format=csv,noheader,nounits'],
          QUERY_TIMEOUT_MS,
        ),
        runTool(tool, ['pmon', '-c', '1'], QUERY_TIMEOUT_MS),
      ]);
      if (apps.exitCode !== 0 && monitor.exitCode !== 0) return null;
      return merge(cards, parseComputeApps(apps.stdout), parseProcessMonitor(monitor.stdout));
    },
  };
}

/** A card in MIG mode speaks for its instances where that makes sense: heat and clocks are shared, load and memory are not. */
function spread(sample: Sample, cards: readonly Device[], devices: readonly Device[]): Sample[] {
  const card = cards.find((candidate) => candidate.id === sample.deviceId);
  if (!card?.mig) return [sample];
  const own = { utilization: null, memoryUsedBytes: null, powerW: null };
  return devices.flatMap((device) =>
    device.mig && device.index === card.index ? [Object.assign({ ...sample, deviceId: device.id }, own)] : [],
  );
}

/** One row per process and card: memory from the query, kind and load from the monitor. */
function merge(cards: readonly Device[], apps: readonly GpuProcess[], seen: readonly GpuProcess[]): GpuProcess[] {
  const rows = new Map<string, GpuProcess>();
  for (const row of seen) {
    const deviceId = cards.find((card) => card.index === row.deviceIndex)?.id ?? null;
    rows.set(`${deviceId}/${row.pid}`, { ...row, deviceId });
  }
  for (const app of apps) {
    const key = `${app.deviceId}/${app.pid}`;
    const known = rows.get(key);
    const deviceIndex = cards.find((card) => card.id === app.deviceId)?.index ?? null;
    rows.set(key, known ? { ...known, name: app.name, memoryBytes: app.memoryBytes } : { ...app, deviceIndex });
  }
  return [...rows.values()];
}
