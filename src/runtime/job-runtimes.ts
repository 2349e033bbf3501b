import type { Clock } from '../shared/time.ts';
import { AppError } from '../shared/errors.ts';
import { createChildJobs } from './child/child-jobs.ts';
import type { DockerEngine } from './docker-engine.ts';
import { createDockerJobs } from './docker-jobs.ts';
import type { Log } from './engine-link.ts';
import type { JobRuntimes } from './job-runtime.ts';

/** Every way to run a job behind one door. Modules and kernels run also while the engine is down. */
export function openJobRuntimes(options: {
  /** Only what rentals and jobs share of it is used. */
  engine: Pick<DockerEngine, 'parts'>;
  dataDir: string;
  installId: string;
  clock: Clock;
  log: Log;
}): JobRuntimes {
  const containers = createDockerJobs(options.engine.parts, options);
  const processes = createChildJobs(options);
  return {
    start: (plan, startOptions) =>
      plan.work.type === 'docker' ? containers.start(plan, startOptions) : processes.start(plan, startOptions),
    async find(dealId) {
      return (await processes.find(dealId)) ?? containers.find(dealId);
    },
    async list() {
      const inContainers = await containers.list().catch((thrown: unknown) => {
        if (thrown instanceof AppError && thrown.code === 'engine-down') return [];
        throw thrown;
      });
      return [...inContainers, ...(await processes.list())];
    },
    async remove(dealId) {
      if ((await processes.list()).includes(dealId)) await processes.remove(dealId);
      else await containers.remove(dealId);
    },
    onBack: (listener) => containers.onBack(listener),
    async close() {
      await processes.close();
      await containers.close();
    },
  };
}
