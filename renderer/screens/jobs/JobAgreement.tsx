import type { Job } from '../../../src/api/contract.ts';
import { shortId } from '../../../src/shared/ids.ts';
import { formatSeconds } from '../../../src/shared/time.ts';
import { formatBytes } from '../../../src/shared/units.ts';
import { CopyButton } from '../../parts/CopyButton.tsx';
import { Facts } from '../../parts/Figure.tsx';
import { exactTime } from '../../view/moment.ts';
import { plainText } from '../../../src/shared/plain-text.ts';

/** What was posted; nothing of it can change. */
export function JobAgreement({ job }: { job: Job }) {
  const { spec } = job;
  const { resources, timeouts } = spec;
  const names = (list: string[]) => (list.length === 0 ? 'none' : plainText(list.join(', '), 120));
  return (
    <>
      {spec.work.type === 'docker' ? <Whole label="Image" text={spec.work.image} /> : null}
      {spec.work.type === 'wasm' ? <Whole label="Module" text={spec.work.module} /> : null}
      <Facts
        two
        rows={[
          ['Submitted', exactTime(job.createdAt)],
          ['Posted', job.postedAt === null ? 'not yet' : exactTime(job.postedAt)],
          ['Due', job.deadline === null ? '–' : exactTime(job.deadline)],
          ['Checked', checkText(spec.verification)],
          [
            'Cards',
            resources.gpuCount === 0
              ? 'none'
              : `${resources.gpuCount} × ${plainText(resources.gpuModel ?? resources.gpuType ?? 'any', 40)}`,
          ],
          ['Memory of a card', resources.gpuMemoryGb === 0 ? 'any' : `${resources.gpuMemoryGb} GB`],
          ['Main memory', formatBytes(resources.memoryBytes)],
          ['Longest run', formatSeconds(timeouts.runSeconds)],
          ['Network', spec.network === 'internet' ? 'the internet' : 'none'],
          ['Inputs', names(spec.inputs.map(({ path }) => path))],
          ['Secrets', names(spec.secrets)],
          ['Priority', `${job.priority} of 100`],
          ['Job id', job.jobId === null ? 'not posted yet' : <Id key="id" id={job.jobId} />],
        ]}
      />
    </>
  );
}

function Whole({ label, text }: { label: string; text: string }) {
  return (
    <div className="whole-text">
      <span className="dim">{label}</span>
      <code>{plainText(text, 300)}</code>
      <CopyButton text={text} label={`Copy ${label.toLowerCase()}`} />
    </div>
  );
}

const Id = ({ id }: { id: NonNullable<Job['jobId']> }) => (
  <span className="hash">
    <code title={id}>{shortId(id)}</code>
    <CopyButton text={id} label="Copy job id" />
  </span>
);

function checkText(check: Job['spec']['verification']): string {
  switch (check.tier) {
    case 'accept':
      return 'by its content address';
    case 'redundancy':
      return `${check.agree} of ${check.copies} must agree`;
    case 'certificate':
      return 'by arithmetic, here';
  }
}
