import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import type { Job } from '../../../src/api/contract.ts';
import { toAppError } from '../../../src/shared/errors.ts';
import { FailureNote } from '../../parts/Note.tsx';
import { useApi, useClient } from '../../state/host.ts';

interface EachTaskProps {
  batchId: string;
  /** Tasks of the submission with this status, and for which `isMeant` holds. */
  status: Job['status'];
  isMeant?: (job: Job) => boolean;
  /** How many they are, as far as is known. */
  many: number;
  act: (taskId: string) => Promise<unknown>;
  /** On the button, "Cancel the 20 waiting", and of what was done: "cancelled". */
  label: string;
  done: string;
}

const PAGE = 100;
const isAny = () => true;

/** Does the same with many tasks of one submission, one after the other; can be stopped midway. */
export function EachTask({ batchId, status, isMeant = isAny, many, act, label, done }: EachTaskProps) {
  const client = useClient();
  const api = useApi();
  const queries = useQueryClient();
  const stop = useRef(new AbortController());
  const [so, setSo] = useState({ far: 0, of: many });
  const run = useMutation({
    mutationFn: async () => {
      stop.current = new AbortController();
      let far = 0;
      const tried = new Set<string>();
      const nextOnes = async (): Promise<Job[]> => {
        for (let after: string | null | undefined; after !== null;) {
          const page = await client.jobs.list({ batchId, status, limit: PAGE, ...(after ? { after } : {}) });
          const fresh = page.jobs.filter((job) => !tried.has(job.taskId) && isMeant(job));
          if (fresh.length > 0) return fresh;
          after = page.next;
        }
        return [];
      };
      setSo({ far, of: many });
      for (let fresh = await nextOnes(); fresh.length > 0; fresh = await nextOnes()) {
        for (const { taskId } of fresh) {
          if (stop.current.signal.aborted) return;
          tried.add(taskId);
          far += await act(taskId).then(
            () => 1,
            // It went on meanwhile, and is none of those meant any more.
            (thrown: unknown) => {
              if (toAppError(thrown).code === 'conflict') return 0;
              throw thrown;
            },
          );
          setSo({ far, of: Math.max(many, far) });
        }
      }
    },
    onSettled: () => queries.invalidateQueries({ queryKey: api.jobs.key() }),
  });
  return (
    <>
      {run.isPending ? (
        <Button variant="default" size="xs" onClick={() => stop.current.abort()}>
          Stop at {so.far.toLocaleString('en')} of {so.of.toLocaleString('en')} {done}
        </Button>
      ) : (
        <Button variant="default" size="xs" onClick={() => run.mutate()}>
          {label}
        </Button>
      )}
      <FailureNote error={run.error} />
    </>
  );
}
