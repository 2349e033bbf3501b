import { readFile, readdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { randomUUID } from 'node:crypto';
import type { Worker } from 'node:worker_threads';
import { Transaction, encryptKeystoreJsonSync, verifyTypedData } from 'ethers';
import { describe, expect, test, vi } from 'vitest';
import { spawnSigner } from './signer-client.ts';
import type { SignerSetup } from './signer-protocol.ts';
import { CHAIN_ID, PASSWORD, openTestWallet, temporaryFolder } from './testing.ts';
import type { Secrets } from './wallet.ts';

// Every test starts a thread that loads its own copy of the libraries: slow where many tests share two cores.
vi.setConfig({ testTimeout: 30_000 });

const TRANSACTION = {
  chainId: CHAIN_ID,
  nonce: 7,
  to: '0x00000000000000000000000000000000000000aa',
  value: 5n,
  data: '0x1234',
  gasLimit: 21_000n,
  maxFeePerGas: 2_000_000_000n,
  maxPriorityFeePerGas: 1n,
} as const;

const VOUCHER = {
  domain: {
    name: 'Commonwatt',
    version: '1',
    chainId: CHAIN_ID,
    verifyingContract: '0x00000000000000000000000000000000000000bb',
  },
  types: {
    Voucher: [
      { name: 'leaseId', type: 'bytes32' },
      { name: 'secs', type: 'uint32' },
    ],
  },
  primaryType: 'Voucher',
  message: { leaseId: `0x${'11'.repeat(32)}`, secs: 60 },
} as const;
const voucherTypes = { Voucher: [...VOUCHER.types.Voucher] };

// The well-known test words of every Ethereum tool, and their first account.
const WORDS = 'test test test test test test test test test test test junk';
const WORDS_ADDRESS = '0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266';
const WORDS_KEY = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80';

/** Signer threads as they are started, and everything they tell the host. */
const watched = () => {
  const threads: Worker[] = [];
  const seen: unknown[] = [];
  const spawn = (setup: SignerSetup) => {
    const worker = spawnSigner(setup);
    worker.on('message', (message) => seen.push(message));
    threads.push(worker);
    return worker;
  };
  return { threads, seen, spawn };
};

/** Stands in for the desktop's keychain. */
const store = (): Secrets & { sealed: Map<string, string> } => {
  const sealed = new Map<string, string>();
  return {
    sealed,
    seal: async (text) => {
      const name = randomUUID();
      sealed.set(name, text);
      return name;
    },
    open: async (name) => {
      const text = sealed.get(name);
      if (text === undefined) throw new Error('not mine');
      return text;
    },
  };
};

/** As another wallet would export it, but cheap to open. */
const theirKeystore = () =>
  encryptKeystoreJsonSync({ address: WORDS_ADDRESS, privateKey: WORDS_KEY }, 'their password', {
    scrypt: { N: 1024, r: 8, p: 1 },
  });

describe('making and opening', () => {
  test('a new wallet starts locked, opens with its password and signs', async () => {
    const wallet = await openTestWallet({ dir: await temporaryFolder() });
    expect(wallet.status.value).toMatchObject({ exists: false, locked: true, address: null });
    expect(() => wallet.signer()).toThrow(expect.objectContaining({ code: 'not-found' }));

    const { address, mnemonic } = await wallet.create({ password: PASSWORD });
    expect(mnemonic.split(' ')).toHaveLength(12);
    expect(wallet.status.value).toMatchObject({ exists: true, locked: true, address, backedUp: false });
    await expect(wallet.signer().signTransaction(TRANSACTION)).rejects.toMatchObject({
      code: 'locked',
      next: expect.stringContaining('Unlock'),
    });

    await wallet.unlock(PASSWORD);
    const raw = Transaction.from(await wallet.signer().signTransaction(TRANSACTION));
    expect(raw.from?.toLowerCase()).toBe(address);
    expect(raw).toMatchObject({ type: 2, nonce: 7, value: 5n, data: '0x1234', chainId: BigInt(CHAIN_ID) });

    await wallet.lock();
    await expect(wallet.signTypedData(VOUCHER)).rejects.toMatchObject({ code: 'locked' });
  });

  test('survives a restart', async () => {
    const dir = await temporaryFolder();
    const first = await openTestWallet({ dir });
    const { address } = await first.create({ password: PASSWORD });
    await first.confirmBackup();
    const host = first.hostKey.address;
    await first.close();
    const second = await openTestWallet({ dir });
    expect(second.status.value).toMatchObject({ exists: true, locked: true, address, backedUp: true });
    expect(second.hostKey.address).toBe(host);
  });

  test('a wrong password opens nothing and changes nothing', async () => {
    const wallet = await openTestWallet({ dir: await temporaryFolder() });
    await wallet.create({ password: PASSWORD });
    await expect(wallet.unlock('not this one')).rejects.toMatchObject({ code: 'wrong-password', field: 'password' });
    expect(wallet.status.value.locked).toBe(true);
    await expect(wallet.backup('not this one')).rejects.toMatchObject({ code: 'wrong-password' });
    await expect(wallet.changePassword('not this one', 'another good one')).rejects.toMatchObject({
      code: 'wrong-password',
    });
    await wallet.unlock(PASSWORD);
    await expect(wallet.unlock('not this one')).rejects.toMatchObject({ code: 'wrong-password' });
    expect(wallet.status.value.locked).toBe(false);
  });

  test.each(['', '        ', 'short', 'aaaaaaaaaaaa', 'Password1', 'x'.repeat(2000)])(
    'refuses the password %j with the field and what to do',
    async (password) => {
      const wallet = await openTestWallet({ dir: await temporaryFolder() });
      await expect(wallet.create({ password })).rejects.toMatchObject({
        code: 'bad-input',
        field: 'password',
        next: expect.any(String),
      });
      expect(wallet.status.value.exists).toBe(false);
    },
  );

  test('never replaces a wallet that is there', async () => {
    const wallet = await openTestWallet({ dir: await temporaryFolder() });
    const made = await Promise.allSettled([
      wallet.create({ password: PASSWORD }),
      wallet.create({ password: PASSWORD }),
    ]);
    expect(made.map((result) => result.status).toSorted()).toEqual(['fulfilled', 'rejected']);
    await expect(wallet.import({ kind: 'mnemonic', mnemonic: WORDS }, PASSWORD)).rejects.toMatchObject({
      code: 'conflict',
    });
  });

  test('locks itself when the time is over', async () => {
    const wallet = await openTestWallet({ dir: await temporaryFolder() });
    await wallet.create({ password: PASSWORD });
    await wallet.unlock(PASSWORD, 0.05);
    await wallet.status.until((status) => status.locked);
    await expect(wallet.signTypedData(VOUCHER)).rejects.toMatchObject({ code: 'locked' });
  });

  test('a changed password replaces the old one', async () => {
    const wallet = await openTestWallet({ dir: await temporaryFolder() });
    await wallet.create({ password: PASSWORD });
    await expect(wallet.changePassword(PASSWORD, 'short')).rejects.toMatchObject({ field: 'newPassword' });
    await wallet.changePassword(PASSWORD, 'a wholly different one');
    await expect(wallet.unlock(PASSWORD)).rejects.toMatchObject({ code: 'wrong-password' });
    await wallet.unlock('a wholly different one');
  });

  test('is removed only with the password and after a confirmed backup', async () => {
    const dir = await temporaryFolder();
    const wallet = await openTestWallet({ dir });
    await wallet.create({ password: PASSWORD });
    await expect(wallet.remove({ password: PASSWORD })).rejects.toMatchObject({ code: 'conflict' });
    await wallet.confirmBackup();
    await expect(wallet.remove({ password: 'not this one' })).rejects.toMatchObject({ code: 'wrong-password' });
    await wallet.remove({ password: PASSWORD });
    expect(wallet.status.value).toMatchObject({ exists: false, locked: true, address: null, backedUp: false });
    expect(await readdir(dir)).not.toContain('keystore.json');
  });
});

describe('importing', () => {
  test('words, private key and keystore lead to the same account', async () => {
    const keystore = theirKeystore();
    const sources = [
      { kind: 'mnemonic', mnemonic: `  ${WORDS.toUpperCase().replaceAll(' ', '\n ')} ` },
      { kind: 'private-key', privateKey: WORDS_KEY.slice(2) },
      { kind: 'keystore', keystore, keystorePassword: 'their password' },
    ] as const;
    for (const source of sources) {
      const wallet = await openTestWallet({ dir: await temporaryFolder() });
      expect(await wallet.import(source, PASSWORD)).toEqual({ address: WORDS_ADDRESS });
      await wallet.unlock(PASSWORD);
      const { mnemonic } = await wallet.backup(PASSWORD);
      expect(mnemonic).toBe(source.kind === 'mnemonic' ? WORDS : null);
    }
  });

  test('what cannot be imported is refused by field', async () => {
    const wallet = await openTestWallet({ dir: await temporaryFolder() });
    const refused = async (source: Parameters<typeof wallet.import>[0], extra: object) =>
      expect(wallet.import(source, PASSWORD)).rejects.toMatchObject(extra);
    await refused({ kind: 'mnemonic', mnemonic: 'test test test' }, { code: 'bad-input', field: 'mnemonic' });
    await refused({ kind: 'private-key', privateKey: '0x12' }, { code: 'bad-input', field: 'privateKey' });
    await refused({ kind: 'private-key', privateKey: '0'.repeat(64) }, { code: 'bad-input', field: 'privateKey' });
    await refused({ kind: 'private-key', privateKey: 'f'.repeat(64) }, { code: 'bad-input', field: 'privateKey' });
    for (const keystore of ['', '{}', 'null', '[]', '{"version":3}', 'x'.repeat(30_000)]) {
      await refused({ kind: 'keystore', keystore, keystorePassword: 'x' }, { code: 'bad-input', field: 'keystore' });
    }
    const other = theirKeystore();
    await refused(
      { kind: 'keystore', keystore: other, keystorePassword: 'wrong' },
      { code: 'wrong-password', field: 'keystorePassword' },
    );
    const greedy = other.replace('"n":1024', '"n":1073741824');
    expect(greedy).not.toBe(other);
    await refused(
      { kind: 'keystore', keystore: greedy, keystorePassword: 'their password' },
      { code: 'bad-input', field: 'keystore' },
    );
    expect(wallet.status.value.exists).toBe(false);
  });
});

describe('damaged files', () => {
  test.each([
    ['empty', () => ''],
    ['no JSON', () => 'hello'],
    ['cut short', (text: string) => text.slice(0, text.length / 2)],
    ['without its key', (text: string) => text.replace(/"ciphertext":"[0-9a-f]+"/, '"ciphertext":""')],
  ])('a keystore that is %s is named, kept and can be replaced', async (_name, damage) => {
    const dir = await temporaryFolder();
    const first = await openTestWallet({ dir });
    await first.create({ password: PASSWORD });
    await first.close();
    const file = path.join(dir, 'keystore.json');
    const broken = damage(await readFile(file, 'utf8'));
    await writeFile(file, broken);

    const wallet = await openTestWallet({ dir });
    expect(wallet.status.value).toMatchObject({ exists: true, damaged: true, locked: true, address: null });
    await expect(wallet.unlock(PASSWORD)).rejects.toMatchObject({
      message: expect.stringContaining('damaged'),
      next: expect.stringContaining('backup words'),
    });
    await wallet.import({ kind: 'mnemonic', mnemonic: WORDS }, PASSWORD);
    expect(wallet.status.value).toMatchObject({ damaged: false, address: WORDS_ADDRESS });
    const kept = (await readdir(dir)).find((name) => name.startsWith('keystore.damaged-'));
    expect(await readFile(path.join(dir, kept ?? ''), 'utf8')).toBe(broken);
  });

  test('a changed byte of the encrypted key reads as a wrong password, never as another key', async () => {
    const dir = await temporaryFolder();
    const wallet = await openTestWallet({ dir });
    await wallet.create({ password: PASSWORD });
    const file = path.join(dir, 'keystore.json');
    const text = await readFile(file, 'utf8');
    await writeFile(
      file,
      text.replace(/"ciphertext":"(.)/, (_all, digit: string) => `"ciphertext":"${digit === '0' ? '1' : '0'}`),
    );
    await expect(wallet.unlock(PASSWORD)).rejects.toMatchObject({ code: 'wrong-password' });
  });

  test('a damaged host key stops the start with what to do, and is not replaced', async () => {
    const dir = await temporaryFolder();
    await writeFile(path.join(dir, 'host-key.json'), '{"version":1,"address":"0x00","privateKey":"00"}');
    await expect(openTestWallet({ dir })).rejects.toMatchObject({ message: expect.stringContaining('host-key.json') });
  });

  test.skipIf(process.platform === 'win32')('every file is readable by its owner only', async () => {
    const dir = await temporaryFolder();
    const wallet = await openTestWallet({ dir });
    await wallet.create({ password: PASSWORD });
    await wallet.confirmBackup();
    await wallet.policy.setLimits([]);
    const names = await readdir(dir);
    expect(names.toSorted()).toEqual(['host-key.json', 'keystore.json', 'spending.json', 'wallet.json']);
    for (const name of names) expect((await stat(path.join(dir, name))).mode & 0o777).toBe(0o600);
  });
});

describe('signing', () => {
  test('builds the digest itself: what was shown is what is signed', async () => {
    const wallet = await openTestWallet({ dir: await temporaryFolder() });
    const { address } = await wallet.create({ password: PASSWORD });
    await wallet.unlock(PASSWORD);
    const signature = await wallet.signTypedData(VOUCHER);
    expect(verifyTypedData(VOUCHER.domain, voucherTypes, VOUCHER.message, signature).toLowerCase()).toBe(address);
    await expect(wallet.signTypedData({ ...VOUCHER, primaryType: 'Final' })).rejects.toMatchObject({
      code: 'bad-input',
    });
    await expect(wallet.signTypedData({ ...VOUCHER, message: { secs: -1 } })).rejects.toMatchObject({
      code: 'bad-input',
    });
  });

  test('refuses every other chain', async () => {
    const wallet = await openTestWallet({ dir: await temporaryFolder() });
    await wallet.create({ password: PASSWORD });
    await wallet.unlock(PASSWORD);
    const elsewhere = { ...VOUCHER, domain: { ...VOUCHER.domain, chainId: 1 } };
    for (const attempt of [
      wallet.signer().signTransaction({ ...TRANSACTION, chainId: 1 }),
      wallet.signTypedData(elsewhere),
      wallet.hostKey.signTypedData(elsewhere),
    ]) {
      await expect(attempt).rejects.toMatchObject({ code: 'wrong-network' });
    }
  });

  test('the host key signs while the wallet is locked, or missing', async () => {
    const wallet = await openTestWallet({ dir: await temporaryFolder() });
    const signature = await wallet.hostKey.signTypedData(VOUCHER);
    expect(verifyTypedData(VOUCHER.domain, voucherTypes, VOUCHER.message, signature).toLowerCase()).toBe(
      wallet.hostKey.address,
    );
  });

  test('timers fire while a real keystore is being opened', async () => {
    const wallet = await openTestWallet({ dir: await temporaryFolder(), scryptN: 2 ** 17 });
    await wallet.create({ password: PASSWORD });
    let fired = 0;
    const timer = setInterval(() => {
      fired += 1;
    }, 1);
    const began = performance.now();
    await wallet.unlock(PASSWORD);
    clearInterval(timer);
    expect(fired).toBeGreaterThan(Math.min(20, (performance.now() - began) / 50));
  });
});

test('the host key goes on signing while a real keystore is being opened', async () => {
  const wallet = await openTestWallet({ dir: await temporaryFolder(), scryptN: 2 ** 17 });
  await wallet.create({ password: PASSWORD });
  const order: string[] = [];
  await Promise.all([
    wallet.unlock(PASSWORD).then(() => order.push('opened')),
    wallet.hostKey.signTypedData(VOUCHER).then(() => order.push('signed')),
  ]);
  expect(order).toEqual(['signed', 'opened']);
});

describe("the signer's thread", () => {
  test('its death fails what was asked, locks the wallet, and the next call works again', async () => {
    const { threads, spawn } = watched();
    const wallet = await openTestWallet({ dir: await temporaryFolder(), spawn });
    await wallet.create({ password: PASSWORD });
    await wallet.unlock(PASSWORD);
    const host = wallet.hostKey.address;
    const asked = wallet.backup(PASSWORD);
    const [, failure] = await Promise.allSettled([threads[0]?.terminate(), asked]);
    expect(failure).toMatchObject({ status: 'rejected', reason: { code: 'internal', next: expect.any(String) } });
    expect(wallet.status.value.locked).toBe(true);

    await expect(wallet.signTypedData(VOUCHER)).rejects.toMatchObject({ code: 'locked' });
    const signature = await wallet.hostKey.signTypedData(VOUCHER);
    expect(verifyTypedData(VOUCHER.domain, voucherTypes, VOUCHER.message, signature).toLowerCase()).toBe(host);
    await wallet.unlock(PASSWORD);
    await wallet.signTypedData(VOUCHER);
    expect(threads).toHaveLength(2);
  });

  test('no message to the host ever carries a private key', async () => {
    const { seen, spawn } = watched();
    const dir = await temporaryFolder();
    const wallet = await openTestWallet({ dir, spawn });
    await wallet.import({ kind: 'mnemonic', mnemonic: WORDS }, PASSWORD);
    await wallet.unlock(PASSWORD);
    await wallet.signTypedData(VOUCHER);
    await wallet.hostKey.signTypedData(VOUCHER);
    await wallet.signer().signTransaction(TRANSACTION);
    await wallet.changePassword(PASSWORD, 'a wholly different one');
    await wallet.backup('a wholly different one');
    await wallet.lock();

    const text = JSON.stringify(seen).toLowerCase();
    expect(seen.length).toBeGreaterThan(8);
    const hostFile = JSON.parse(await readFile(path.join(dir, 'host-key.json'), 'utf8')) as { privateKey: string };
    expect(hostFile.privateKey).toMatch(/^[0-9a-f]{64}$/);
    expect(text).not.toContain(hostFile.privateKey);
    expect(text).not.toContain(WORDS_KEY.slice(2));
  });
});

describe('the host key with a secret store', () => {
  test('the file is encrypted, opens again through the store and with nothing else', async () => {
    const dir = await temporaryFolder();
    const secrets = store();
    const first = await openTestWallet({ dir, secrets });
    const { address } = first.hostKey;
    await first.close();
    expect(await readFile(path.join(dir, 'host-key.json'), 'utf8')).not.toContain('privateKey');

    const second = await openTestWallet({ dir, secrets });
    expect(second.hostKey.address).toBe(address);
    await second.close();
    await expect(openTestWallet({ dir })).rejects.toMatchObject({ code: 'not-allowed', next: expect.any(String) });
    await expect(openTestWallet({ dir, secrets: store() })).rejects.toMatchObject({ code: 'not-allowed' });
  });

  test('a plain file is encrypted as soon as there is a store', async () => {
    const dir = await temporaryFolder();
    const first = await openTestWallet({ dir });
    const { address } = first.hostKey;
    await first.close();
    const second = await openTestWallet({ dir, secrets: store() });
    expect(second.hostKey.address).toBe(address);
    expect(await readFile(path.join(dir, 'host-key.json'), 'utf8')).not.toContain('privateKey');
  });
});
