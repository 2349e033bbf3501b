import type { ApiClient, Rental } from '../../api/contract.ts';
import { AppError } from '../../shared/errors.ts';
import { formatSeconds } from '../../shared/time.ts';
import type { Command, CommandContext } from './command.ts';
import { findOffer, findRental, money, parseBytes, parseDuration, parseWhole, table } from './values.ts';

const describe = (rental: Rental): string[] => [
  ...table([
    ['Rental', rental.rentalId],
    ['Card', `${rental.gpuCount} x ${rental.gpuModel}`],
    ['Phase', `${rental.phase}${rental.detail === '' ? '' : `: ${rental.detail}`}`],
    ['Served', `${formatSeconds(rental.servedSeconds)} of ${formatSeconds(rental.capSeconds)}`],
    ['Spent', money(rental.spent, rental.token)],
    ['Left', money(rental.left, rental.token)],
  ]),
];

/** Says each change on stderr until the machine can be used. */
async function waitUntilRunning(client: ApiClient, rentalId: string, context: CommandContext): Promise<Rental> {
  let said = '';
  for await (const rental of await client.rentals.watch({ rentalId }, { signal: context.signal })) {
    const { progress, phase, detail } = rental;
    const share = progress?.total ? ` ${Math.floor((100 * progress.done) / progress.total)} %` : '';
    const line = progress ? `${progress.label}${share}` : detail || phase;
    if (line !== said) context.say((said = line));
    if (phase === 'running') return rental;
    if (phase === 'closed') {
      throw new AppError('offer-unavailable', `The rental ended before it ran: ${rental.settlement?.reason ?? detail}`);
    }
  }
  throw new AppError('cancelled', 'Cancelled. The rental goes on.', {
    next: `See commonwatt rentals ${rentalId.slice(0, 12)}.`,
  });
}

function envOf(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1)
        throw new AppError('bad-input', '--env must be NAME=VALUE.', {
          field: '--env',
          next: 'Write --env NAME=VALUE.',
        });
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

export const rentalCommands: readonly Command[] = [
  {
    name: 'rent',
    about: 'rent a machine: escrow the deposit and wait until it runs. A command may follow --',
    args: ['<offer>'],
    options: {
      for: { type: 'string', value: 'DURATION', about: 'how long at most, such as 2h; what is not used comes back' },
      image: { type: 'string', value: 'IMAGE', about: 'container image, such as busybox:1.36' },
      port: { type: 'string', multiple: true, value: 'N', about: 'TCP port inside to reach; repeat for several' },
      env: { type: 'string', multiple: true, value: 'NAME=VALUE', about: 'variable inside; repeat for several' },
      cpus: { type: 'string', value: 'N', about: 'processors' },
      memory: { type: 'string', value: 'SIZE', about: 'memory, such as 8g' },
      disk: { type: 'string', value: 'SIZE', about: 'disk, default 10g' },
      'no-internet': { type: 'boolean', about: 'keep the container off the internet' },
      'no-wait': { type: 'boolean', about: 'return as soon as the deposit is escrowed' },
    },
    async run(context) {
      const { options } = context;
      const image = options.text('image');
      const length = options.text('for');
      if (image === undefined) {
        throw new AppError('bad-input', '--image is needed.', {
          field: '--image',
          next: 'Name one: --image busybox:1.36.',
        });
      }
      if (length === undefined) {
        throw new AppError('bad-input', '--for is needed.', { field: '--for', next: 'Say how long: --for 1h.' });
      }
      const seconds = parseDuration(length, '--for');
      const cpus = options.text('cpus');
      const memory = options.text('memory');
      const disk = options.text('disk');
      const spec = {
        image,
        ports: options.list('port').map((port) => parseWhole(port, '--port', { min: 1, max: 65_535 })),
        env: envOf(options.list('env')),
        internet: !options.flag('no-internet'),
        ...(context.rest.length === 0 ? {} : { command: [...context.rest] }),
        ...(cpus === undefined ? {} : { cpus: parseCpus(cpus) }),
        ...(memory === undefined ? {} : { memoryBytes: parseBytes(memory, '--memory') }),
        ...(disk === undefined ? {} : { diskBytes: parseBytes(disk, '--disk') }),
      };
      const client = await context.api();
      const offerId = await findOffer(client, context.args[0] ?? '');
      const { version: offerVersion } = await client.market.get({ offerId });
      const quote = await client.market.quote({ offerId, seconds });
      if (quote.missing !== '0') {
        throw new AppError(
          'insufficient-funds',
          `The deposit is ${money(quote.deposit, quote.token)}; ${money(quote.missing, quote.token)} are missing.`,
          {
            next: `Deposit them: commonwatt wallet deposit ${money(quote.missing, quote.token).replace(' ', ' --token ')}`,
          },
        );
      }
      context.say(
        `Deposit ${money(quote.deposit, quote.token)}, charged first ${money(quote.chargedFirst, quote.token)}.`,
      );
      const opened = await client.rentals.open({
        commandId: crypto.randomUUID(),
        offerId,
        seconds,
        spec,
        offerVersion,
      });
      context.say(`Rental ${opened.rentalId} is escrowed.`);
      if (options.flag('no-wait')) {
        context.print(opened, opened.rentalId);
        return;
      }
      const rental = await waitUntilRunning(client, opened.rentalId, context);
      const short = rental.rentalId.slice(0, 12);
      context.print(rental, [
        ...describe(rental),
        `Get in with: commonwatt ssh ${short}`,
        `End it with: commonwatt terminate ${short}`,
      ]);
    },
  },
  {
    name: 'rentals',
    about: 'rentals of this host, or one of them',
    args: ['[rental]'],
    options: {
      open: { type: 'boolean', about: 'only running ones' },
      role: { type: 'string', value: 'ROLE', about: 'renter or provider' },
    },
    async run(context) {
      const client = await context.api();
      const [wanted] = context.args;
      if (wanted !== undefined) {
        const rental = await client.rentals.get({ rentalId: await findRental(client, wanted) });
        context.print(rental, describe(rental));
        return;
      }
      const role = context.options.text('role') as 'renter' | undefined;
      const all = await client.rentals.list({
        ...(role === undefined ? {} : { role }),
        ...(context.options.flag('open') ? { open: true } : {}),
      });
      const rows = all.map((rental) => [
        rental.rentalId.slice(0, 12),
        rental.role,
        rental.gpuModel,
        rental.phase,
        formatSeconds(rental.servedSeconds),
        money(rental.spent, rental.token),
        money(rental.left, rental.token),
      ]);
      context.print(all, table([['RENTAL', 'ROLE', 'CARD', 'PHASE', 'SERVED', 'SPENT', 'LEFT'], ...rows]));
    },
  },
  {
    name: 'extend',
    about: 'add time to a running rental',
    args: ['<rental>'],
    options: { for: { type: 'string', value: 'DURATION', about: 'how much longer, such as 1h' } },
    async run(context) {
      const length = context.options.text('for');
      if (length === undefined)
        throw new AppError('bad-input', '--for is needed.', { field: '--for', next: 'Say how much: --for 1h.' });
      const client = await context.api();
      const rentalId = await findRental(client, context.args[0] ?? '');
      const seconds = parseDuration(length, '--for');
      const rental = await client.rentals.extend({ rentalId, commandId: crypto.randomUUID(), seconds });
      context.print(rental, describe(rental));
    },
  },
  {
    name: 'terminate',
    about: 'end a rental; resolves when the chain has settled',
    args: ['<rental>'],
    async run(context) {
      const client = await context.api();
      const rentalId = await findRental(client, context.args[0] ?? '');
      context.say('Ending the rental and settling.');
      const ended = await client.rentals.terminate({ rentalId, commandId: crypto.randomUUID() });
      context.print(ended, `Ended. Billed ${money(ended.billingAmount, ended.rental.token)}.`);
    },
  },
  {
    name: 'forward',
    about: 'open a port of the rental on this computer: 8888, or 8888:9999 for local port 9999',
    args: ['<rental>', '<port>'],
    options: { close: { type: 'boolean', about: 'close it again' } },
    async run(context) {
      const client = await context.api();
      const rentalId = await findRental(client, context.args[0] ?? '');
      const [inside = '', local] = (context.args[1] ?? '').split(':');
      const containerPort = parseWhole(inside, 'port', { min: 1, max: 65_535 });
      if (context.options.flag('close')) {
        context.print(await client.rentals.closeForward({ rentalId, containerPort }), 'Closed.');
        return;
      }
      const localPort = local === undefined ? 0 : parseWhole(local, 'port', { max: 65_535 });
      const open = await client.rentals.forward({ rentalId, containerPort, localPort });
      context.print(open, `127.0.0.1:${open.localPort} leads to port ${containerPort} of the rental.`);
    },
  },
];

function parseCpus(text: string): number {
  const value = /^\d{1,3}(\.\d{1,3})?$/.test(text) ? Number(text) : 0;
  if (value < 0.1)
    throw new AppError('bad-input', '--cpus must be a number such as 2 or 0.5.', {
      field: '--cpus',
      next: 'Correct --cpus.',
    });
  return value;
}
