import { AppError } from '../../../src/shared/errors.ts';
import { rentalSpecSchema, type RentalSpec } from '../../../src/shared/rental.ts';
import { GIB } from '../../../src/shared/units.ts';
import { parseEnvironment, parsePorts, splitCommand } from '../../view/command-line.ts';

/** The rent form as typed. */
export interface RentFields {
  image: string;
  command: string;
  env: string;
  ports: string;
  diskGib: string;
  internet: boolean;
}

export const EMPTY_RENT: RentFields = { image: '', command: '', env: '', ports: '', diskGib: '10', internet: true };

/**
 * What the provider is asked to run.
 * @throws AppError `bad-input` with the field of the form that is wrong.
 */
export function buildSpec(fields: RentFields): RentalSpec {
  if (fields.image.trim() === '') {
    throw new AppError('bad-input', 'Name the image to run, such as busybox:1.36.', { field: 'image' });
  }
  const command = splitCommand(fields.command);
  const disk = Number(fields.diskGib);
  if (!/^\d{1,6}(\.\d)?$/.test(fields.diskGib) || disk < 0.1) {
    throw new AppError('bad-input', 'Disk must be at least 0.1 GiB.', { field: 'diskGib' });
  }
  const parsed = rentalSpecSchema.safeParse({
    image: fields.image.trim(),
    ...(command.length === 0 ? {} : { command }),
    env: parseEnvironment(fields.env),
    ports: parsePorts(fields.ports),
    diskBytes: Math.round(disk * GIB),
    internet: fields.internet,
  });
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = String(issue?.path[0] ?? 'image');
  throw new AppError('bad-input', `${capital(field)} ${issue?.message ?? 'is not right'}.`, { field });
}

const capital = (word: string) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`;
