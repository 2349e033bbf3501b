import { expect, test } from 'vitest';
import type { Call, Chain, Receipt } from '../../chain/chain.ts';
import { AppError, type ErrorCode } from '../../shared/errors.ts';
import { silentLog } from '../../shared/log.ts';
import { CallBatcher } from './call-batcher.ts';

const TO = '0x00000000000000000000000000000000000000aa';
const callOf = (label: string): Call => ({ to: TO, data: '0x', value: 0n, label });
const needed = () => Promise.resolve(true);

/** A chain that refuses calls by what they are named, as a whole where they come together. */
function open() {
  const refuses = new Map<string, ErrorCode>();
  const sent: { label: string; commandId: string }[] = [];
  const tries: string[] = [];
  const send: Chain['send'] = (call, { commandId }) => {
    tries.push(call.label);
    for (const label of call.label.split('+')) {
      const code = refuses.get(label);
      if (code) return Promise.reject(new AppError(code, `${label}: ${code}`));
    }
    sent.push({ label: call.label, commandId });
    return Promise.resolve({} as Receipt);
  };
  const batch = (calls: readonly Call[]) => callOf(calls.map(({ label }) => label).join('+'));
  const batcher = new CallBatcher({ sender: { send }, calls: { batch }, log: silentLog });
  return { batcher, refuses, sent, tries };
}

test('what comes together travels together', async () => {
  const { batcher, sent } = open();
  const both = [batcher.add('a', callOf('a'), needed), batcher.add('b', callOf('b'), needed)];
  expect(await Promise.all(both)).toEqual([true, true]);
  expect(sent.map(({ label }) => label)).toEqual(['a+b']);
});

test('what cannot be paid steps aside: everything else goes on, before and after it', async () => {
  const { batcher, refuses, sent } = open();
  refuses.set('post', 'insufficient-funds');
  const { promise: waits, resolve } = Promise.withResolvers<string>();
  const post = batcher.add('post-key', callOf('post'), needed, resolve);
  const accept = batcher.add('accept-key', callOf('accept'), needed);
  expect(await accept).toBe(true);
  expect(await waits).toBe('post: insufficient-funds');
  expect(await batcher.add('later-key', callOf('later'), needed)).toBe(true);
  expect(batcher.add('post-key', callOf('post'), needed)).toBe(post);
  refuses.clear();
  expect(await post).toBe(true);
  // Alone, each goes under its own command; one that was refused for lack of money under another than it had.
  expect(sent).toEqual([
    { label: 'accept', commandId: 'accept-key' },
    { label: 'later', commandId: 'later-key' },
    { label: 'post', commandId: expect.stringMatching(/^post-key:\d+$/) as string },
  ]);
});

test('what came to nothing while it waited is not sent', async () => {
  const { batcher, refuses, sent } = open();
  refuses.set('post', 'insufficient-funds');
  let isNeeded = true;
  const post = batcher.add(
    'post',
    callOf('post'),
    () => Promise.resolve(isNeeded),
    () => {
      isNeeded = false;
    },
  );
  expect(await post).toBe(false);
  expect(sent).toEqual([]);
});

test.for(['locked', 'network-down'] as const)(
  'while the account can send nothing (%s), all of it waits',
  async (code) => {
    const { batcher, refuses, tries } = open();
    refuses.set('first', code);
    const { promise: waits, resolve } = Promise.withResolvers<string>();
    const first = batcher.add('first', callOf('first'), needed, resolve);
    await waits;
    const second = batcher.add('second', callOf('second'), needed);
    refuses.clear();
    expect(await Promise.all([first, second])).toEqual([true, true]);
    expect(tries).toEqual(['first', 'first', 'second']);
  },
);

test('what a command was refused for good does not answer the next one', async () => {
  const { batcher, refuses, sent } = open();
  refuses.set('expire', 'reverted');
  await expect(batcher.add('expire', callOf('expire'), needed)).rejects.toMatchObject({ code: 'reverted' });
  refuses.clear();
  expect(await batcher.add('expire', callOf('expire'), needed)).toBe(true);
  expect(sent).toEqual([{ label: 'expire', commandId: 'expire:1' }]);
});

test.for(['insufficient-funds', 'locked'] as const)(
  'what waits (%s) can be taken back; what came with it goes on',
  async (code) => {
    const { batcher, refuses, sent } = open();
    refuses.set('post', code).set('other', code);
    const { promise: waits, resolve } = Promise.withResolvers<string>();
    const post = batcher.add('post', callOf('post'), needed, resolve);
    const other = batcher.add('other', callOf('other'), needed);
    await waits;
    expect(batcher.withdraw('post')).toBe(true);
    await expect(post).rejects.toMatchObject({ code: 'cancelled' });
    expect(batcher.withdraw('post')).toBe(false);
    refuses.clear();
    expect(await other).toBe(true);
    expect(sent.map(({ label }) => label)).toEqual(['other']);
  },
);

test('what is just being sent is not taken back', async () => {
  const { promise: mined, resolve } = Promise.withResolvers<Receipt>();
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  const send: Chain['send'] = () => {
    ask();
    return mined;
  };
  const batcher = new CallBatcher({ sender: { send }, calls: { batch: () => callOf('all') }, log: silentLog });
  const post = batcher.add('post', callOf('post'), needed);
  await asked;
  expect(batcher.withdraw('post')).toBe(false);
  resolve({} as Receipt);
  expect(await post).toBe(true);
});

test('what is refused for good fails alone; closing ends what waits', async () => {
  const { batcher, refuses } = open();
  refuses.set('bad', 'reverted').set('poor', 'insufficient-funds');
  const { promise: waits, resolve } = Promise.withResolvers<string>();
  const bad = batcher.add('bad', callOf('bad'), needed);
  const good = batcher.add('good', callOf('good'), needed);
  const poor = batcher.add('poor', callOf('poor'), needed, resolve);
  await expect(bad).rejects.toMatchObject({ code: 'reverted' });
  expect(await good).toBe(true);
  await waits;
  batcher.close();
  await expect(poor).rejects.toMatchObject({ code: 'cancelled' });
});
