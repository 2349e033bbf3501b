import { AppError } from '../../shared/errors.ts';
import { parseAmount } from '../../shared/money.ts';
import { systemClock } from '../../shared/time.ts';
import type { ApiOutputs } from '../../api/contract.ts';
import type { Command } from './command.ts';
import { findToken, parseDuration, parsePer, parseWhole, price, table } from './values.ts';

function describe(status: ApiOutputs['share']['status']): string[] {
  const { offer } = status;
  return [
    status.detail,
    ...(offer
      ? table([
          ['OFFER', 'CARD', 'PRICE', 'FREE', 'STATUS'],
          [
            offer.offerId,
            `${offer.gpuCount} x ${offer.gpuModel}`,
            price(offer),
            `${offer.free}/${offer.units}`,
            offer.status,
          ],
        ])
      : ['No offer is published.']),
  ];
}

export const offerCommands: readonly Command[] = [
  {
    name: 'offer register',
    about: 'publish this computer’s offer and serve rentals (also: share)',
    options: {
      price: { type: 'string', value: 'AMOUNT', about: 'such as 0.35; default: what the market suggests' },
      token: { type: 'string', value: 'SYMBOL', about: 'token of the price' },
      per: { type: 'string', value: 'UNIT', about: 'minute, hour (default) or day' },
      device: { type: 'string', multiple: true, value: 'ID', about: 'a device of `gpu list`; repeat for several' },
      region: { type: 'string', value: 'NAME', about: 'where the computer stands' },
      feature: { type: 'string', multiple: true, value: 'NAME', about: 'something to advertise; repeat for several' },
      'min-time': { type: 'string', value: 'DURATION', about: 'shortest billed time, 1m to 10m' },
      until: { type: 'string', value: 'DURATION', about: 'how long the offer stays, such as 30d' },
    },
    async run(context) {
      const client = await context.api();
      const { options } = context;
      const { offer: suggested, priceReason } = await client.share.suggest();
      const given = options.text('price');
      const wantsMoney =
        given !== undefined || options.text('token') !== undefined || options.text('per') !== undefined;
      if (wantsMoney && given === undefined) {
        throw new AppError('bad-input', '--token and --per need a --price.', {
          field: '--price',
          next: 'Give --price too.',
        });
      }
      const token = await findToken(client, options.text('token') ?? suggested.token);
      if (given === undefined) context.say(`Price: ${priceReason}`);
      const until = options.text('until');
      const minTime = options.text('min-time');
      const region = options.text('region');
      const devices = options.list('device');
      const features = options.list('feature');
      const made = await client.share.start({
        commandId: crypto.randomUUID(),
        offer: {
          ...suggested,
          ...(given === undefined
            ? {}
            : {
                price: parseAmount(given, token.decimals, '--price').toString(),
                token: token.address,
                unit: parsePer(options.text('per') ?? 'hour'),
              }),
          ...(devices.length === 0 ? {} : { deviceIds: [...devices] }),
          ...(features.length === 0 ? {} : { features: [...features] }),
          ...(region === undefined ? {} : { region }),
          ...(minTime === undefined ? {} : { minSeconds: parseDuration(minTime, '--min-time') }),
          ...(until === undefined ? {} : { endsBy: systemClock.now() + parseDuration(until, '--until') }),
        },
      });
      context.print(made, `Sharing. Offer ${made.offerId}.`);
    },
  },
  {
    name: 'offer list',
    about: 'this computer’s offer, and whether it is shared now',
    async run(context) {
      const status = await (await context.api()).share.status();
      context.print(status, describe(status));
    },
  },
  {
    name: 'offer pause',
    about: 'take no new rentals for a while',
    options: { for: { type: 'string', value: 'DURATION', about: 'default 1h, at most 1d' } },
    async run(context) {
      const seconds = parseDuration(context.options.text('for') ?? '1h', '--for');
      const status = await (await context.api()).share.snooze({ seconds });
      context.print(status, describe(status));
    },
  },
  {
    name: 'offer resume',
    about: 'take rentals again now',
    async run(context) {
      const status = await (await context.api()).share.snooze({ seconds: 0 });
      context.print(status, describe(status));
    },
  },
  {
    name: 'offer delist',
    about: 'stop sharing; running rentals finish first',
    options: { now: { type: 'boolean', about: 'end running rentals too, honestly billed' } },
    async run(context) {
      const client = await context.api();
      const rentals = context.options.flag('now') ? 'now' : 'after';
      const status = await client.share.stop({ commandId: crypto.randomUUID(), rentals });
      context.print(status, describe(status));
    },
  },
  {
    name: 'search',
    about: 'offers of this network: plain words, vram>=24, price<0.5, region:EU, free',
    args: ['[query...]'],
    options: {
      sort: {
        type: 'string',
        value: 'KEY',
        about: 'price (default), gpuModel, gpuMemoryGb, gpuCount, region, createdAt',
      },
      descending: { type: 'boolean', about: 'highest first' },
      limit: { type: 'string', value: 'N', about: 'at most 500; default 50' },
    },
    async run(context) {
      const { options } = context;
      const limit = parseWhole(options.text('limit') ?? '50', '--limit', { min: 1, max: 500 });
      const sort = (options.text('sort') ?? 'price') as 'price';
      const query = context.args.join(' ');
      const client = await context.api();
      const found = await client.market.search({ query, sort, descending: options.flag('descending'), limit });
      const rows = found.offers.map((offer) => [
        offer.offerId.slice(0, 12),
        `${offer.gpuCount} x ${offer.gpuModel}`,
        `${offer.gpuMemoryGb} GB`,
        price(offer),
        offer.region,
        `${offer.free}/${offer.units}`,
      ]);
      const total = found.total === null ? 'more than 3000' : String(found.total);
      context.print(found, [
        ...table([['OFFER', 'CARD', 'MEMORY', 'PRICE', 'REGION', 'FREE'], ...rows]),
        `${found.offers.length} of ${total}`,
      ]);
    },
  },
];
