import { Button } from '@mantine/core';
import { IconCpu } from '@tabler/icons-react';
import { useState } from 'react';
import type { ApiOutputs } from '../../../src/api/contract.ts';
import { formatBytes, GIB } from '../../../src/shared/units.ts';
import { Blank, LoadingRows } from '../../parts/Blank.tsx';
import { Graph } from '../../parts/Graph.tsx';
import { FailureNote } from '../../parts/Note.tsx';
import { Panel } from '../../parts/Panel.tsx';
import { useClient } from '../../state/host.ts';
import { useStream } from '../../state/live.ts';
import { plainText } from '../../../src/shared/plain-text.ts';
import { remember, type Readings } from './readings.ts';

type Device = ApiOutputs['gpu']['list'][number];

interface DevicesProps {
  devices: Device[] | undefined;
  error: unknown;
  onLook: () => void;
}

/** The cards found, and how they feel right now. */
export function Devices({ devices, error, onLook }: DevicesProps) {
  const client = useClient();
  const [readings, setReadings] = useState<Readings>({});
  useStream(
    'gpu',
    (signal) => client.gpu.watch(undefined, { signal }),
    (samples) => setReadings((old) => remember(old, samples)),
  );
  return (
    <Panel title="This computer" flush>
      <FailureNote error={error} />
      {devices === undefined && !error ? <LoadingRows lines={4} label="Looking for cards" /> : null}
      {devices?.length === 0 ? (
        <Blank
          icon={IconCpu}
          title="No card found"
          action={
            <Button variant="default" onClick={onLook}>
              Look again
            </Button>
          }
        >
          Install the maker’s driver, then look again. You can rent other people’s machines without one.
        </Blank>
      ) : null}
      {devices?.map((device) => (
        <DeviceRow key={device.id} device={device} readings={readings[device.id]} />
      ))}
    </Panel>
  );
}

const NONE = { times: [], load: [], temperature: [], power: [], memory: [], powerLimit: null, throttle: [] };

function DeviceRow({ device, readings = NONE }: { device: Device; readings: Readings[string] | undefined }) {
  const memory = device.memoryBytes;
  // Many processors tell neither; a card that is silent is worth seeing.
  const quiet = (values: (number | null)[]) => device.kind === 'cpu' && values.every((value) => value === null);
  const throttled = readings.throttle.length > 0;
  return (
    <article className="device" aria-label={plainText(device.model)}>
      <header>
        <h3>{plainText(`${device.vendor} ${device.model}`, 60)}</h3>
        <p>
          {device.kind === 'cpu' ? (
            <span className="tag">Processor, no graphics card</span>
          ) : (
            <span className="figure">
              {memory === null ? '' : `${formatBytes(memory)} · `}driver {plainText(device.driver ?? 'unknown', 24)}
            </span>
          )}
          {device.cores === null ? null : <span className="figure">{device.cores} cores</span>}
          {throttled ? (
            <span className="tag tag-warn">Slowed: {plainText(readings.throttle.join(', '), 60)}</span>
          ) : null}
        </p>
      </header>
      <div className="graphs">
        <Graph label="Load" unit="%" times={readings.times} values={readings.load} top={100} />
        {quiet(readings.temperature) ? null : (
          <Graph label="Temperature" unit="°C" times={readings.times} values={readings.temperature} top={100} />
        )}
        {quiet(readings.power) ? null : (
          <Graph
            label="Power"
            unit="W"
            times={readings.times}
            values={readings.power}
            top={readings.powerLimit ?? 150}
          />
        )}
        <Graph
          label="Memory"
          unit="GiB"
          times={readings.times}
          values={readings.memory}
          top={memory === null ? 8 : memory / GIB}
          format={(value) => value.toFixed(1)}
        />
      </div>
    </article>
  );
}
