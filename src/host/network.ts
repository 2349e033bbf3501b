import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { loadProfiles, type NetworkProfile } from '../chain/profile.ts';
import { askFaucet, joinPractice, startPracticeNetwork } from '../chain/practice/practice-network.ts';
import { startPracticeDht } from '../peer/practice-dht.ts';
import { AppError } from '../shared/errors.ts';
import { ETH, type Address } from '../shared/ids.ts';
import type { Log } from '../shared/log.ts';
import type { LinePeers } from './line.ts';
import { networksFiles } from './networks-file.ts';

export interface Network {
  profile: NetworkProfile;
  peers: LinePeers;
  /** Gives practice money; null on real networks. */
  faucet: ((account: Address) => Promise<unknown>) | null;
  joinUrl: string | null;
  /** Any amount of practice money; null unless this host itself runs the practice network. */
  fund: ((to: Address, money: { token: Address; amount: bigint }) => Promise<unknown>) | null;
  close(): Promise<void>;
}

/** The network by name: the embedded practice network, one that another host embeds, or a real one from its profile. */
export async function openNetwork(options: {
  dataDir: string;
  network: string;
  rpcUrl?: string;
  log: Log;
}): Promise<Network> {
  const { dataDir, network, rpcUrl, log } = options;
  if (network === 'practice') return rpcUrl === undefined ? embed(dataDir, log) : join(rpcUrl);
  const files = networksFiles(dataDir);
  const profiles = loadProfiles(files);
  const profile = profiles.get(network);
  if (!profile) {
    throw new AppError('bad-input', `There is no network called ${network}.`, {
      field: 'network',
      next: `Use one of: ${['practice', ...profiles.keys()].join(', ')}; or describe it in ${files[1]}.`,
    });
  }
  return {
    profile: rpcUrl === undefined ? profile : { ...profile, rpcUrls: [rpcUrl, ...profile.rpcUrls] },
    peers: {
      bootstrap: profile.peers.bootstrap.length === 0 ? null : profile.peers.bootstrap.map(hostAndPort),
      relays: profile.peers.relays as `0x${string}`[],
      tcpHost: '0.0.0.0',
    },
    faucet: null,
    joinUrl: null,
    fund: null,
    close: async () => {},
  };
}

async function embed(dataDir: string, log: Log): Promise<Network> {
  const portFile = path.join(dataDir, 'practice-dht-port');
  const lastPort = Number(await readFile(portFile, 'utf8').catch(() => '0'));
  // The same port again, so that hosts that joined before a restart find their way back.
  const dht = await startPracticeDht({ host: '127.0.0.1', port: Number.isInteger(lastPort) ? lastPort : 0 });
  await writeFile(portFile, `${dht.bootstrap[0]?.port ?? 0}`, { mode: 0o600 });
  try {
    const bootstrap = dht.bootstrap.map(({ host, port }) => `${host}:${port}`);
    const practice = await startPracticeNetwork({
      dataDir: path.join(dataDir, 'practice'),
      log,
      peers: { bootstrap, relays: [] },
    });
    // A node that has loaded a dump guesses the next block's time wrongly until it has mined one, and refuses by it what
    // has a deadline: one unit of practice money to nobody is such a block.
    await practice.fund(ETH, { token: ETH, amount: 1n });
    return {
      profile: practice.profile,
      peers: { bootstrap: dht.bootstrap, relays: [], tcpHost: '127.0.0.1' },
      faucet: (account) => practice.faucet(account),
      joinUrl: practice.rpcUrl,
      fund: (to, money) => practice.fund(to, money),
      close: async () => {
        await practice.close();
        await dht.close();
      },
    };
  } catch (thrown) {
    await dht.close();
    throw thrown;
  }
}

async function join(rpcUrl: string): Promise<Network> {
  const profile = await joinPractice(rpcUrl);
  return {
    profile,
    peers: { bootstrap: profile.peers.bootstrap.map(hostAndPort), relays: [], tcpHost: '127.0.0.1' },
    faucet: (account) => askFaucet(profile, account),
    joinUrl: rpcUrl,
    fund: null,
    close: async () => {},
  };
}

function hostAndPort(text: string): { host: string; port: number } {
  const at = text.lastIndexOf(':');
  const port = Number(text.slice(at + 1));
  if (at > 0 && Number.isInteger(port) && port > 0 && port < 65_536) return { host: text.slice(0, at), port };
  throw new AppError('bad-input', `Not a peer address: ${text}. Write host:port.`, { field: 'peers.bootstrap' });
}
