import type { Offer } from '../../src/api/contract.ts';
import { isProcessor, machineText } from '../view/machine.ts';
import { plainText } from '../../src/shared/plain-text.ts';

interface MachineNameProps {
  machine: Pick<Offer, 'gpuType' | 'gpuModel' | 'gpuCount'>;
  maxLength?: number;
}

/** What is rented; a processor carries a mark, so that nobody takes it for a card. */
export function MachineName({ machine, maxLength = 48 }: MachineNameProps) {
  if (machine.gpuCount === 0) return <span className="machine">{machineText(machine)}</span>;
  if (isProcessor(machine)) {
    return (
      <span className="machine">
        <strong>{plainText(machine.gpuModel, maxLength)}</strong> <span className="tag">CPU, no card</span>
      </span>
    );
  }
  return (
    <span className="machine">
      <span className="times figure">{machine.gpuCount} ×</span>{' '}
      <strong>{plainText(machine.gpuModel, maxLength)}</strong>
    </span>
  );
}
