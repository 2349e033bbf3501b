import { readFileSync } from 'node:fs';
import { AppError } from '../../shared/errors.ts';
import { parseAmount } from '../../shared/money.ts';
import { toAddress } from '../../shared/ids.ts';
import type { Command, CommandContext, OptionSpec } from './command.ts';
import { readSecret } from './prompt.ts';
import { findToken, moment, money, parseDuration, parseWhole, table } from './values.ts';

const passwordFile: OptionSpec = { type: 'string', value: 'FILE', about: 'read the password from a file, - for stdin' };
const tokenOption: OptionSpec = { type: 'string', value: 'SYMBOL', about: 'which token; default the market’s own' };

const newPassword = (context: CommandContext) =>
  readSecret(context, { option: 'password-file', question: 'New password', confirm: true });
const password = (context: CommandContext) => readSecret(context, { option: 'password-file', question: 'Password' });

async function amountOf(context: CommandContext) {
  const client = await context.api();
  const token = await findToken(client, context.options.text('token'));
  const amount = parseAmount(context.args[0] ?? '', token.decimals, 'amount');
  if (amount === 0n) throw new AppError('bad-input', 'amount must be more than zero.', { field: 'amount' });
  return { client, token, amount: amount.toString() };
}

export const walletCommands: readonly Command[] = [
  {
    name: 'wallet status',
    about: 'whether there is a wallet, its address, and whether it is locked',
    async run(context) {
      const wallet = await (await context.api()).wallet.status();
      context.print(
        wallet,
        wallet.exists
          ? `${wallet.address ?? ''}, ${wallet.locked ? 'locked' : 'unlocked'}${wallet.backedUp ? '' : ', not backed up yet'}`
          : 'No wallet yet. Make one with: commonwatt wallet create',
      );
    },
  },
  {
    name: 'wallet create',
    about: 'make a wallet; prints its backup words once',
    options: { 'password-file': passwordFile },
    async run(context) {
      const client = await context.api();
      const made = await client.wallet.create({ password: await newPassword(context) });
      context.print(made, [
        `Address: ${made.address}`,
        'Write these words down and keep them; whoever has them has the money:',
        made.mnemonic,
      ]);
    },
  },
  {
    name: 'wallet import',
    about: 'bring a wallet in: backup words (typed), a private key or a keystore file',
    options: {
      'password-file': passwordFile,
      'mnemonic-file': { type: 'string', value: 'FILE', about: 'file with the backup words, - for stdin' },
      'private-key-file': { type: 'string', value: 'FILE', about: 'file with the private key, - for stdin' },
      keystore: { type: 'string', value: 'FILE', about: 'keystore JSON file' },
      'keystore-password-file': { type: 'string', value: 'FILE', about: 'password of that keystore file' },
    },
    async run(context) {
      const client = await context.api();
      const { options } = context;
      const keystoreFile = options.text('keystore');
      let made: { address: string };
      if (keystoreFile !== undefined) {
        const keystore = readText(keystoreFile, '--keystore');
        const option = 'keystore-password-file';
        const keystorePassword = await readSecret(context, { option, question: 'Password of the keystore file' });
        made = await client.wallet.import({
          kind: 'keystore',
          keystore,
          keystorePassword,
          password: await newPassword(context),
        });
      } else if (options.text('private-key-file') !== undefined) {
        const privateKey = await readSecret(context, { option: 'private-key-file', question: 'Private key' });
        made = await client.wallet.import({ kind: 'private-key', privateKey, password: await newPassword(context) });
      } else {
        const mnemonic = await readSecret(context, { option: 'mnemonic-file', question: 'Backup words' });
        made = await client.wallet.import({ kind: 'mnemonic', mnemonic, password: await newPassword(context) });
      }
      context.print(made, `Address: ${made.address}`);
    },
  },
  {
    name: 'wallet unlock',
    about: 'unlock for this session of the host',
    options: {
      'password-file': passwordFile,
      for: { type: 'string', value: 'DURATION', about: 'lock again after this long, such as 1h' },
    },
    async run(context) {
      const client = await context.api();
      const length = context.options.text('for');
      const status = await client.wallet.unlock({
        password: await password(context),
        ...(length === undefined ? {} : { seconds: parseDuration(length, '--for') }),
      });
      context.print(status, 'Unlocked.');
    },
  },
  {
    name: 'wallet lock',
    about: 'lock it now',
    async run(context) {
      context.print(await (await context.api()).wallet.lock(), 'Locked.');
    },
  },
  {
    name: 'wallet backup',
    about: 'show the backup words and the keystore again',
    options: { 'password-file': passwordFile },
    async run(context) {
      const client = await context.api();
      const backup = await client.wallet.backup({ password: await password(context) });
      context.print(backup, [backup.mnemonic ?? 'This wallet was imported without backup words.', backup.keystore]);
    },
  },
  {
    name: 'wallet balances',
    about: 'what is in the wallet, deposited, and locked in rentals',
    async run(context) {
      const balances = await (await context.api()).wallet.balances();
      const rows = balances.map(({ token, wallet, available, locked }) => [
        token.symbol,
        money(wallet, token),
        money(available, token),
        money(locked, token),
      ]);
      context.print(balances, table([['TOKEN', 'WALLET', 'DEPOSITED', 'LOCKED'], ...rows]));
    },
  },
  {
    name: 'wallet deposit',
    about: 'move money from the wallet into the market’s deposit account',
    args: ['<amount>'],
    options: { token: tokenOption },
    async run(context) {
      const { client, token, amount } = await amountOf(context);
      const done = await client.wallet.deposit({ commandId: crypto.randomUUID(), token: token.address, amount });
      context.print(done, `Deposited ${money(amount, token)} (${done.txHash}).`);
    },
  },
  {
    name: 'wallet withdraw',
    about: 'take deposited money out again',
    args: ['<amount>'],
    options: {
      token: tokenOption,
      to: { type: 'string', value: 'ADDRESS', about: 'another address than the own one' },
    },
    async run(context) {
      const { client, token, amount } = await amountOf(context);
      const to = context.options.text('to');
      const done = await client.wallet.withdraw({
        commandId: crypto.randomUUID(),
        token: token.address,
        amount,
        ...(to === undefined ? {} : { to: toAddress(to, '--to') }),
      });
      context.print(done, `Withdrew ${money(amount, token)} (${done.txHash}).`);
    },
  },
  {
    name: 'wallet history',
    about: 'every movement, newest first',
    options: { limit: { type: 'string', value: 'N', about: 'how many; default 100' } },
    async run(context) {
      const limit = parseWhole(context.options.text('limit') ?? '100', '--limit', { min: 1, max: 500 });
      const moves = await (await context.api()).wallet.history({ limit });
      const rows = moves.map(({ at, kind, amount, token, rentalId }) => [
        moment(at),
        kind,
        money(amount, token),
        rentalId?.slice(0, 10) ?? '',
      ]);
      context.print(moves, table([['WHEN (UTC)', 'WHAT', 'AMOUNT', 'RENTAL'], ...rows]));
    },
  },
  {
    name: 'wallet faucet',
    about: 'some free money on the practice network',
    async run(context) {
      context.print(await (await context.api()).wallet.faucet(), 'The faucet gave some practice money.');
    },
  },
];

function readText(file: string, field: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (thrown) {
    throw new AppError('bad-input', `${field}: ${file} cannot be read.`, {
      field,
      next: 'Give a file that exists.',
      cause: thrown,
    });
  }
}
