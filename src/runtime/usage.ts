import type { ContainerUsage } from './engine.ts';

/** What of the engine's statistics is read; every part may be missing. */
export interface RawStats {
  cpu_stats?: { cpu_usage?: { total_usage?: number }; system_cpu_usage?: number; online_cpus?: number };
  memory_stats?: { usage?: number; stats?: Record<string, number> };
  networks?: Record<string, { rx_bytes?: number; tx_bytes?: number }>;
}

const amount = (value: unknown): number =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : 0;

/** Percent of one processor, as `docker stats` counts: 200 is two busy processors. */
export function cpuPercent(before: RawStats, now: RawStats): number {
  const own = amount(now.cpu_stats?.cpu_usage?.total_usage) - amount(before.cpu_stats?.cpu_usage?.total_usage);
  const whole = amount(now.cpu_stats?.system_cpu_usage) - amount(before.cpu_stats?.system_cpu_usage);
  return own > 0 && whole > 0 ? (own / whole) * (amount(now.cpu_stats?.online_cpus) || 1) * 100 : 0;
}

/** Memory without the file cache that the kernel gives back when asked; network from the guard, whose interface it is. */
export function readUsage(own: RawStats, guard: RawStats | null): Omit<ContainerUsage, 'cpuPercent' | 'diskBytes'> {
  const details = own.memory_stats?.stats;
  const cache = amount(details?.['inactive_file'] ?? details?.['total_inactive_file']);
  let received = 0;
  let sent = 0;
  for (const network of Object.values(guard?.networks ?? {})) {
    received += amount(network.rx_bytes);
    sent += amount(network.tx_bytes);
  }
  return {
    memoryBytes: Math.max(0, amount(own.memory_stats?.usage) - cache),
    networkReceivedBytes: received,
    networkSentBytes: sent,
  };
}
