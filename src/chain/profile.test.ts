import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ETH } from '../shared/ids.ts';
import { ETH_TOKEN, loadProfiles, parseProfile, tokenOf } from './profile.ts';

const shipped = path.join(import.meta.dirname, '../../resources/networks.json');
const { example } = JSON.parse(readFileSync(shipped, 'utf8')) as { example: Record<string, unknown> };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'networks-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('network profiles', () => {
  test('the shipped file holds no real network, and its example is a whole profile', () => {
    expect([...loadProfiles([shipped]).keys()]).toEqual([]);
    const profile = parseProfile(example);
    expect(profile.tokens[0]).toEqual(ETH_TOKEN);
    expect(profile.practice).toBe(false);
    expect(tokenOf(profile, ETH).symbol).toBe('ETH');
    expect(() => tokenOf(profile, `0x${'ff'.repeat(20)}`)).toThrow(
      expect.objectContaining({ field: 'token', next: 'Use one of: ETH, USDX.' }) as Error,
    );
  });

  test("the user's file wins, a missing one is nothing, a broken one is named", () => {
    const own = path.join(folder, 'networks.json');
    const { name: _name, ...rest } = example;
    writeFileSync(own, JSON.stringify({ networks: { mine: rest } }));
    expect(loadProfiles([shipped, path.join(folder, 'none.json'), own]).get('mine')?.name).toBe('mine');
    writeFileSync(own, '{"networks": 3}');
    expect(() => loadProfiles([own])).toThrow(own);
  });

  test.each([
    [{ chainId: 0 }, 'chainId'],
    [{ rpcUrls: [] }, 'rpcUrls'],
    [{ rpcUrls: ['file:///etc/passwd'] }, 'rpcUrls.0'],
    [{ contracts: { vault: '0x12' } }, 'contracts.vault'],
    [{ confirmations: -1 }, 'confirmations'],
    [{ name: 'Bad Name' }, 'name'],
  ])('%j is refused by its member', (change, field) => {
    expect(() => parseProfile({ ...example, ...change })).toThrow(
      expect.objectContaining({ code: 'bad-input', field }) as Error,
    );
  });
});
