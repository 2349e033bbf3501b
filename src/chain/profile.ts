import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { AppError } from '../shared/errors.ts';
import { ETH, isAddress } from '../shared/ids.ts';
import type { Address } from '../shared/ids.ts';
import type { Token } from '../shared/money.ts';

/** Where the contracts of a network live. All of one deployment; a new version of one of them is a new profile. */
export interface NetworkContracts {
  vault: Address;
  offers: Address;
  rentals: Address;
  /** Absent where a network was described by hand before there were these. */
  parameters?: Address | undefined;
  watt?: Address | undefined;
  stakes?: Address | undefined;
  jobs?: Address | undefined;
  juries?: Address | undefined;
  record?: Address | undefined;
  attestations?: Address | undefined;
  timelock?: Address | undefined;
  governor?: Address | undefined;
  /** Block of the deployment: nothing before it is read. */
  deployedAt: number;
}

/** Everything a host needs to take part in one market. Plain JSON, so it can be mailed, pasted and served. */
export interface NetworkProfile {
  name: string;
  chainId: number;
  /** Tried in order; the first that answers for the right chain is used until it fails. */
  rpcUrls: readonly string[];
  contracts: NetworkContracts;
  /** Payment tokens, ETH (the zero address) among them. */
  tokens: readonly Token[];
  /** Blocks on top of a transaction's block before work starts and money is booked; 0 on practice. */
  confirmations: number;
  /** Milliseconds between looks at the head of the chain. */
  pollMs: number;
  /** `https://…/` to which `tx/0x…` and `address/0x…` are appended; null for none. */
  explorer: string | null;
  peers: { bootstrap: readonly string[]; relays: readonly string[] };
  /** URL that gives practice money; only practice networks have one. */
  faucet: string | null;
  /** Money without value: the screens say so. */
  practice: boolean;
}

const address = z
  .string()
  .refine(isAddress, 'must be an address: 0x and 40 hexadecimal digits')
  .transform((text) => text.toLowerCase() as Address);

const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http or https URL' }).max(2000);
const word = z.string().regex(/^[a-z][a-z0-9-]{0,39}$/, 'must be lower-case letters, digits and -');

export const ETH_TOKEN: Token = { address: ETH, symbol: 'ETH', name: 'Ether', decimals: 18 };

/** The network's own token, which is staked, and a payment token like others. */
export const wattToken = (watt: Address): Token => ({ address: watt, symbol: 'WATT', name: 'Watt', decimals: 18 });

export const networkProfileSchema = z.object({
  name: word,
  chainId: z.int().min(1).max(Number.MAX_SAFE_INTEGER),
  rpcUrls: z.array(httpUrl).min(1).max(16),
  contracts: z.object({
    vault: address,
    offers: address,
    rentals: address,
    parameters: address.optional(),
    watt: address.optional(),
    stakes: address.optional(),
    jobs: address.optional(),
    juries: address.optional(),
    record: address.optional(),
    attestations: address.optional(),
    timelock: address.optional(),
    governor: address.optional(),
    deployedAt: z.int().min(0),
  }),
  tokens: z
    .array(
      z.object({
        address,
        symbol: z.string().min(1).max(16),
        name: z.string().min(1).max(64),
        decimals: z.int().min(0).max(36),
      }),
    )
    .max(64)
    .default([])
    .transform((tokens): Token[] => (tokens.some((token) => token.address === ETH) ? tokens : [ETH_TOKEN, ...tokens])),
  confirmations: z.int().min(0).max(1000).default(3),
  pollMs: z.int().min(20).max(600_000).default(4000),
  explorer: httpUrl.nullable().default(null),
  peers: z
    .object({
      bootstrap: z.array(z.string().max(300)).max(64).default([]),
      relays: z.array(z.string().max(300)).max(64).default([]),
    })
    .default({ bootstrap: [], relays: [] }),
  faucet: httpUrl.nullable().default(null),
  practice: z.boolean().default(false),
});

/**
 * Checks a profile from a file, an URL or a form.
 * @throws AppError `bad-input`, its field the first wrong member as `rpcUrls.0`.
 */
export function parseProfile(value: unknown): NetworkProfile {
  const parsed = networkProfileSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue?.path.join('.') || 'profile';
  throw new AppError('bad-input', `Network profile: ${field} ${issue?.message ?? 'is wrong'}.`, { field });
}

/** `practice` starts an embedded chain and so has no profile before it runs; every other network is a whole one. */
const networksFileSchema = z.object({
  networks: z.record(word, z.unknown()),
});

/**
 * Profiles by name. Files later in the list win, so the user's own networks.json in the data directory overrides ours.
 * A missing file is no error; a broken one is, and names itself.
 */
export function loadProfiles(files: readonly string[]): Map<string, NetworkProfile> {
  const profiles = new Map<string, NetworkProfile>();
  for (const file of files) {
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') continue;
      throw new AppError('bad-input', `The networks file ${file} cannot be read.`, { cause: thrown });
    }
    for (const [name, value] of Object.entries(parseNetworksFile(text, file))) {
      // Embedded: the entry only documents that the name is taken.
      if (name === 'practice') continue;
      profiles.set(name, parseProfile({ ...(value as object), name }));
    }
  }
  return profiles;
}

function parseNetworksFile(text: string, file: string): Record<string, unknown> {
  try {
    return networksFileSchema.parse(JSON.parse(text)).networks;
  } catch (thrown) {
    throw new AppError(
      'bad-input',
      `The networks file ${file} is not valid: it must be {"networks": {name: profile}}.`,
      {
        field: 'networks',
        next: 'Mend the file or delete it to start from the one that came with Commonwatt.',
        cause: thrown,
      },
    );
  }
}

/** The contracts whose logs index.db is made of. */
export const loggingContracts = (contracts: NetworkContracts): Address[] => {
  const { vault, offers, rentals, jobs, juries, stakes, record } = contracts;
  return [vault, offers, rentals, jobs, juries, stakes, record].filter((one) => one !== undefined);
};

/** @throws AppError `bad-input` for a token this network does not name. */
export function tokenOf(profile: NetworkProfile, token: Address): Token {
  const found = profile.tokens.find((entry) => entry.address === token);
  if (found) return found;
  throw new AppError('bad-input', `${token} is not a payment token of the network ${profile.name}.`, {
    field: 'token',
    next: `Use one of: ${profile.tokens.map((entry) => entry.symbol).join(', ')}.`,
  });
}
