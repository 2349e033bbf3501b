/** Judges one kernel's result in a thread of its own. */
import { parentPort, workerData } from 'node:worker_threads';
import { kernelVerdict, type KernelCase } from './kernel-verdict.ts';

if (!parentPort) throw new Error('verdict-worker runs as a worker thread');
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread has no origin
parentPort.postMessage(kernelVerdict(workerData as KernelCase));
