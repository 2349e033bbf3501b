/**
 * What the desktop shell and the host's process say to each other, beside the interface itself. The shell starts
 * `dist/host/utility-process.js`, hands it one end of a port for each window, and counts on a heartbeat; the product's
 * own words travel through those ports and never through here. Secrets: the host asks, the shell's keychain answers.
 */
import { z } from 'zod';

/** The host says that it is alive this often; the shell restarts it after `HEARTBEAT_LOST_MS` of silence. */
export const HEARTBEAT_EVERY_MS = 2000;
export const HEARTBEAT_LOST_MS = 15_000;

/** Longest title or body of a notice, in UTF-16 units. */
export const MAX_NOTICE_TEXT = 2000;

/** The shell's words to the host. `connect` carries exactly one MessagePortMain in the event's `ports`. */
export const shellToHostSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('connect') }),
  /** Close everything and exit with 0. */
  z.object({ type: z.literal('stop') }),
  /** The answer to `seal` or `open`; null when the keychain refused. */
  z.object({ type: z.literal('secret'), id: z.int(), text: z.string().max(20_000).nullable() }),
]);
export type ShellToHost = z.infer<typeof shellToHostSchema>;

/** The host's words to the shell. */
export const hostToShellSchema = z.discriminatedUnion('type', [
  /** Ports are answered from now on. */
  z.object({ type: z.literal('ready') }),
  z.object({ type: z.literal('heartbeat') }),
  /** It cannot run and a restart would not help: one sentence for a person, and the next step where there is one. */
  z.object({ type: z.literal('fatal'), message: z.string().max(2000), next: z.string().max(2000).optional() }),
  z.object({ type: z.enum(['seal', 'open']), id: z.int(), text: z.string().max(20_000) }),
  /** Something happened. The shell decides whether the operating system says so; strangers' words may be in it. */
  z.object({
    type: z.literal('notice'),
    level: z.enum(['info', 'success', 'warning', 'error']),
    title: z.string().max(MAX_NOTICE_TEXT),
    body: z.string().max(MAX_NOTICE_TEXT),
    rentalId: z.string().max(100).nullable(),
    taskId: z.string().max(100).nullable(),
  }),
]);
export type HostToShell = z.infer<typeof hostToShellSchema>;
