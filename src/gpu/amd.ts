import { runTool } from './line-child.ts';
import type { Tool } from './line-child.ts';
import { parseRocmDevices, parseRocmSamples } from './rocm-format.ts';
import { poll } from './source.ts';
import type { CardSource } from './source.ts';

const TIMEOUT_MS = 15_000;
/** Each reading starts an interpreter, so AMD cards are asked less often. */
const SHORTEST_INTERVAL_MS = 5000;

export const AMD_TOOLS: readonly Tool[] = [{ command: 'rocm-smi' }, { command: '/opt/rocm/bin/rocm-smi' }];

const STATIC = ['--showproductname', '--showuniqueid', '--showbus', '--showdriverversion', '--showmeminfo', 'vram'];
const SAMPLE = [
  '--showuniqueid',
  '--showbus',
  '--showuse',
  '--showmeminfo',
  'vram',
  '--showtemp',
  '--showfan',
  '--showpower',
  '--showmaxpower',
  '--showclocks',
];

/** The AMD cards that ROCm manages, or null. */
export async function findAmd(tools: readonly Tool[]): Promise<CardSource | null> {
  for (const tool of tools) {
    const { exitCode, stdout } = await runTool(tool, [...STATIC, '--json'], TIMEOUT_MS);
    const devices = exitCode === 0 ? parseRocmDevices(stdout) : [];
    if (devices.length === 0) continue;
    return {
      devices,
      sample: (intervalMs, onSamples) =>
        poll(Math.max(intervalMs, SHORTEST_INTERVAL_MS), async () => {
          const answer = await runTool(tool, [...SAMPLE, '--json'], TIMEOUT_MS);
          const samples = parseRocmSamples(answer.stdout, Date.now());
          if (samples.length > 0) onSamples(samples);
        }),
      processes: () => Promise.resolve(null),
    };
  }
  return null;
}
