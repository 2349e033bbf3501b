import { Button, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { IconExternalLink, IconPlugConnected } from '@tabler/icons-react';
import { useState } from 'react';
import type { Rental } from '../../../src/api/contract.ts';
import { Blank } from '../../parts/Blank.tsx';
import { CopyButton } from '../../parts/CopyButton.tsx';
import { FailureNote } from '../../parts/Note.tsx';
import { useApi } from '../../state/host.ts';

const KNOWN: Record<number, string> = {
  22: 'SSH',
  80: 'Web page',
  443: 'Web page',
  3000: 'Web page',
  6006: 'TensorBoard',
  7860: 'Gradio',
  8080: 'Web page',
  8888: 'Jupyter',
};

/** The rental's ports; one click opens one on this computer's own loopback address. */
export function Ports({ rental }: { rental: Rental }) {
  const ports = rental.spec?.ports ?? [];
  if (ports.length === 0) {
    return (
      <Blank icon={IconPlugConnected} title="No ports">
        This rental was opened without ports. Name the ones you need, such as 8888, when you rent the next machine.
      </Blank>
    );
  }
  return (
    <ul className="ports">
      {ports.map((port) => (
        <Port key={port} rental={rental} port={port} />
      ))}
    </ul>
  );
}

function Port({ rental, port }: { rental: Rental; port: number }) {
  const api = useApi();
  const queries = useQueryClient();
  const [wanted, setWanted] = useState('');
  const refresh = () => queries.invalidateQueries({ queryKey: api.rentals.get.key() });
  const open = useMutation(api.rentals.forward.mutationOptions({ onSuccess: refresh }));
  const close = useMutation(api.rentals.closeForward.mutationOptions({ onSuccess: refresh }));
  const { rentalId } = rental;
  const forward = rental.forwards.find((known) => known.containerPort === port);
  const address = forward ? `127.0.0.1:${forward.localPort}` : null;
  const localPort = /^\d{1,5}$/.test(wanted) && Number(wanted) <= 65_535 ? Number(wanted) : 0;
  return (
    <li>
      <span className="port-number figure">{port}</span>
      <span className="port-name">{KNOWN[port] ?? 'TCP port'}</span>
      {address !== null && forward ? (
        <>
          <span className="hash">
            <code>{address}</code>
            <CopyButton text={address} label={`Copy ${address}`} />
          </span>
          <span className="dim figure">
            {forward.connections} {forward.connections === 1 ? 'connection' : 'connections'}
          </span>
          <span className="port-actions">
            {port === 22 ? null : (
              <Button
                component="a"
                href={`http://${address}/`}
                target="_blank"
                rel="noopener noreferrer"
                variant="default"
                size="xs"
                rightSection={<IconExternalLink size={14} aria-hidden />}
              >
                Open in browser
              </Button>
            )}
            <Button
              variant="subtle"
              color="gray"
              size="xs"
              loading={close.isPending}
              onClick={() => close.mutate({ rentalId, containerPort: port })}
            >
              Close
            </Button>
          </span>
        </>
      ) : (
        <>
          <TextInput
            aria-label={`Port on this computer for ${port}`}
            placeholder="any free port here"
            size="xs"
            value={wanted}
            onChange={(event) => setWanted(event.currentTarget.value)}
            inputMode="numeric"
          />
          <span className="port-actions">
            <Button
              variant="default"
              size="xs"
              loading={open.isPending}
              aria-label={`Open port ${port}`}
              onClick={() => open.mutate({ rentalId, containerPort: port, localPort })}
            >
              Open
            </Button>
          </span>
        </>
      )}
      <FailureNote error={open.error ?? close.error} />
    </li>
  );
}
