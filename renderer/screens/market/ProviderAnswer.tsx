import { useDebouncedValue } from '@mantine/hooks';
import { useQuery, skipToken } from '@tanstack/react-query';
import type { Bytes32 } from '../../../src/shared/ids.ts';
import { canonicalJson } from '../../../src/shared/json.ts';
import type { RentalSpec } from '../../../src/shared/rental.ts';
import { StateMark } from '../../parts/StateMark.tsx';
import { useApi } from '../../state/host.ts';
import { failureView } from '../../view/failure.ts';
import { plainText } from '../../../src/shared/plain-text.ts';

/** What the provider says over the direct line to exactly this, before anything is paid. */
export function ProviderAnswer({ offerId, spec }: { offerId: Bytes32; spec: RentalSpec | null }) {
  const [settled] = useDebouncedValue(spec === null ? null : canonicalJson(spec), 600);
  const answer = useQuery(
    useApi().market.ask.queryOptions({
      input: settled === null ? skipToken : { offerId, spec: JSON.parse(settled) as RentalSpec },
      staleTime: 15_000,
      retry: false,
    }),
  );
  return (
    <p className="provider-answer" role="status">
      {words(answer, settled === null)}
    </p>
  );
}

interface Answer {
  data: { free: boolean; reason: string; imagePresent: boolean; rttMs: number | null } | undefined;
  error: unknown;
}

function words({ data, error }: Answer, idle: boolean) {
  if (idle) return null;
  if (error) {
    const { message, next } = failureView(error);
    return (
      <>
        <StateMark shape="stop" label="No answer" /> {message} {next}
      </>
    );
  }
  if (!data) return <StateMark shape="wait" label="Asking the provider…" />;
  const rtt = data.rttMs === null ? '' : ` Round trip ${Math.round(data.rttMs)} ms.`;
  if (!data.free) {
    return (
      <>
        <StateMark shape="stop" label="Refused" /> {plainText(data.reason, 200)}
      </>
    );
  }
  return (
    <>
      <StateMark shape="ok" label="Provider is ready" />{' '}
      {data.imagePresent ? 'The image is there already.' : 'It fetches the image first; that is not charged.'}
      {rtt}
    </>
  );
}
