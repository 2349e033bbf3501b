import { Worker } from 'node:worker_threads';
import { AppError } from '../../shared/errors.ts';
import { sibling } from '../../shared/sibling.ts';
import { kernelVerdict, type KernelCase, type KernelVerdict } from './kernel-verdict.ts';

/** What is judged in less time than a thread takes to start. */
const SMALL_BYTES = 256 * 1024;

/** Large tables are judged in a thread of their own: lines to other hosts must not fall silent meanwhile. */
export function judgeKernel(kernel: KernelCase): Promise<KernelVerdict> {
  if (kernel.table.length <= SMALL_BYTES) return Promise.resolve(kernelVerdict(kernel));
  return new Promise((resolve, reject) => {
    const worker = new Worker(sibling(import.meta.url, 'verdict-worker'), { workerData: kernel });
    worker.once('message', (verdict: KernelVerdict) => resolve(verdict));
    worker.once('error', (cause) =>
      reject(new AppError('internal', 'The result could not be checked.', { field: 'inputs', cause })),
    );
    worker.once('exit', () =>
      reject(new AppError('internal', 'The check of the result stopped.', { field: 'inputs' })),
    );
  });
}
