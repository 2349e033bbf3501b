import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test, vi } from 'vitest';
import { createPeerBinder } from './peer-binder.ts';
import { CHAIN_ID, PASSWORD, openTestWallet, temporaryFolder } from './testing.ts';

// A thread that loads its own copy of the libraries is slow where many tests share two cores.
vi.setConfig({ testTimeout: 30_000 });

const PEER_KEY = `0x${'ab'.repeat(32)}` as const;
const clock = { now: () => 1_800_000_000, monotonicMs: () => 0 };

test('a binding signed once keeps a locked wallet online across restarts', async () => {
  const dir = await temporaryFolder();
  const wallet = await openTestWallet({ dir });
  const binder = await createPeerBinder(wallet, { dir, chainId: CHAIN_ID, clock });
  expect(() => binder.wallet).toThrow(expect.objectContaining({ code: 'not-found' }));
  const { address } = await wallet.create({ password: PASSWORD });
  const notAfter = binder.validUntil(PEER_KEY, 'provider');
  await expect(binder.sign(PEER_KEY, 'provider', notAfter)).rejects.toMatchObject({ code: 'locked' });

  await wallet.unlock(PASSWORD);
  const signature = await binder.sign(PEER_KEY, 'provider', notAfter);
  expect(binder.recover(PEER_KEY, 'provider', notAfter, signature)).toBe(address);
  await wallet.close();

  const locked = await openTestWallet({ dir });
  const later = { ...clock, now: () => clock.now() + 10 * 86_400 };
  const again = await createPeerBinder(locked, { dir, chainId: CHAIN_ID, clock: later });
  expect(again.validUntil(PEER_KEY, 'provider')).toBe(notAfter);
  expect(await again.sign(PEER_KEY, 'provider', notAfter)).toBe(signature);
  await expect(again.sign(PEER_KEY, 'renter', notAfter)).rejects.toMatchObject({ code: 'locked' });

  const atTheEnd = { ...clock, now: () => notAfter - 1000 };
  const old = await createPeerBinder(locked, { dir, chainId: CHAIN_ID, clock: atTheEnd });
  expect(old.validUntil(PEER_KEY, 'provider')).toBeGreaterThan(notAfter);
});

test('says nothing of signatures that bind something else', async () => {
  const dir = await temporaryFolder();
  const wallet = await openTestWallet({ dir });
  await wallet.create({ password: PASSWORD });
  await wallet.unlock(PASSWORD);
  const binder = await createPeerBinder(wallet, { dir, chainId: CHAIN_ID, clock });
  const signature = await binder.sign(PEER_KEY, 'provider', 5000);
  expect(binder.recover(PEER_KEY, 'renter', 5000, signature)).not.toBe(binder.wallet);
  expect(binder.recover(PEER_KEY, 'provider', 5001, signature)).not.toBe(binder.wallet);
  expect(binder.recover(PEER_KEY, 'provider', 5000, '0x12')).toBeNull();
  expect(binder.recover('0x12', 'provider', -1, signature)).toBeNull();
  const elsewhere = await createPeerBinder(wallet, { dir, chainId: CHAIN_ID + 1, clock });
  expect(elsewhere.recover(PEER_KEY, 'provider', 5000, signature)).not.toBe(binder.wallet);
});

test('a damaged file of bindings is an empty one', async () => {
  const dir = await temporaryFolder();
  const wallet = await openTestWallet({ dir });
  await wallet.create({ password: PASSWORD });
  await wallet.unlock(PASSWORD);
  for (const text of ['', '[{}]', '{"', JSON.stringify([{ wallet: wallet.signer().address, chainId: CHAIN_ID }])]) {
    await writeFile(path.join(dir, 'peer-bindings.json'), text);
    const binder = await createPeerBinder(wallet, { dir, chainId: CHAIN_ID, clock });
    expect(binder.validUntil(PEER_KEY, 'renter')).toBe(clock.now() + 30 * 86_400);
  }
});
