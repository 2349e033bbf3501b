import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { Wallet, keccak256, toUtf8Bytes } from 'ethers';
import { z } from 'zod';
import type { Chain, TransactionSigner } from '../chain/chain.ts';
import type { ChainEvent } from '../chain/events.ts';
import { openPeerLink } from '../peer/open-peer-link.ts';
import { loadPeerKey } from '../peer/peer-key.ts';
import type { PeerAddress, PeerBinder, PeerHandler, PeerLink } from '../peer/peer-link.ts';
import { toHex } from '../peer/bytes.ts';
import { JobWork } from '../provider/job-work.ts';
import { stakeMore } from '../provider/work-setup.ts';
import { JobDesk, type JobDeskParts } from '../renter/jobs/job-desk.ts';
import type { JobDeskRoom } from '../renter/jobs/job-desk-room.ts';
import { createChildJobs } from '../runtime/child/child-jobs.ts';
import { Emitter } from '../shared/emitter.ts';
import { AppError, toAppError } from '../shared/errors.ts';
import { ETH, type Address, type Bytes32, type Hex } from '../shared/ids.ts';
import { acceptancePayload, peerBindingPayload, signerOf, type TypedPayload } from '../shared/typed-data.ts';
import type { JobRun } from '../store/ledger.ts';
import { readPrivateFile, writePrivateFile } from '../wallet/files.ts';
import type { Network } from './network.ts';
import { PRACTICE_NAME, practiceDoor, practiceOffer, practiceLimits } from './practice-offers.ts';
import type { PracticeAccounts, PracticeClient, PracticeWorker } from './rooms.ts';
import { serveContent } from './serve-content.ts';

/** Of one host, clients and workers together: each has connections and a DHT node of its own. */
const MOST_ACCOUNTS = 64;
/** For network fees. */
const FEES_WEI = 10n ** 19n;
const LEAST_FEES_WEI = 10n ** 18n;
/** Lets a worker lock bonds besides its stake: 10,000 WATT. */
const BOND_MONEY = 10_000n * 10n ** 18n;

const amount = z.string().regex(/^\d{1,40}$/);
const common = { name: z.string().regex(PRACTICE_NAME), key: z.string().regex(/^0x[0-9a-f]{64}$/) };
/**
 * The keys lie here in the clear, readable by the owner only: they open accounts of the practice network, whose money is
 * worth nothing.
 */
const fileSchema = z.array(
  z.discriminatedUnion('role', [
    z.object({ ...common, role: z.literal('client'), initialBalance: amount }),
    z.object({
      ...common,
      role: z.literal('worker'),
      gpuType: z.string().min(1).max(80),
      computeCapacity: z.number(),
      stakeAmount: amount,
      endsBy: z.int(),
    }),
  ]),
);
type Stored = z.infer<typeof fileSchema>[number];

export interface OpenPracticeAccounts extends PracticeAccounts {
  readonly addresses: readonly Address[];
  onAccounts: Emitter<void>;
  onChain(events: readonly ChainEvent[]): void;
  /** The address with the endpoints of an account of this host, where it is one. */
  withEndpoints(to: PeerAddress): PeerAddress;
  recover(): Promise<void>;
  close(): Promise<void>;
}

export interface PracticeAccountsParts {
  /** A folder of its own. */
  dataDir: string;
  fund: NonNullable<Network['fund']>;
  bootstrap: Network['peers']['bootstrap'];
  /** What every client's desk shares with the main wallet's. */
  desk: Omit<JobDeskParts, 'account' | 'connect' | 'policy' | 'notify'>;
  onRun(run: JobRun): void;
  onDesk(desk: JobDesk): void;
  /** Lines of this host that are not of these accounts. */
  neighbours(): readonly PeerAddress[];
}

interface Account {
  stored: Stored;
  address: Address;
  wallet: Wallet;
  peerKey: Bytes32;
  sender: Pick<Chain, 'send'>;
  link: PeerLink;
  client: PracticeClient | null;
  worker: PracticeWorker | null;
  onChain(events: readonly ChainEvent[]): void;
  recover(): Promise<void>;
  close(): Promise<void>;
}

export async function openPracticeAccounts(parts: PracticeAccountsParts): Promise<OpenPracticeAccounts> {
  const { dataDir, desk: shared } = parts;
  const { chain, ledger, clock, log } = shared;
  const file = path.join(dataDir, 'accounts.json');
  const accounts = new Map<string, Account>();
  const holding = new Map<string, Promise<Account>>();
  const settingUp = new Map<string, Promise<void>>();
  const onAccounts = new Emitter<void>();
  const runtimes = createChildJobs({ dataDir, clock, log });
  let stored = readStored(await readPrivateFile(file));
  let closed = false;
  const { watt, jobs } = chain.profile.contracts;

  const watts = (): Address => {
    if (watt) return watt;
    throw new AppError('unsupported', 'This practice network is from before there was WATT.', {
      next: 'Delete the folder “practice” in the data directory to start a new one.',
    });
  };

  const withEndpoints = (to: PeerAddress): PeerAddress => {
    const own = [...accounts.values()].find(({ link }) => link.peerKey === to.peerKey)?.link;
    const near = own ?? parts.neighbours().find(({ peerKey }) => peerKey === to.peerKey);
    return near ? { ...to, endpoints: near.endpoints ?? [] } : to;
  };

  /** Gives what is missing of a token; everything below can be begun again after a kill. */
  const top = async (address: Address, token: Address, least: bigint): Promise<void> => {
    const has = await chain.reads.walletBalance(address, token);
    if (has < least) await parts.fund(address, { token, amount: least - has });
  };

  const connectFrom =
    (link: () => PeerLink): JobDeskRoom['connect'] =>
    (to, options) =>
      link().connect(withEndpoints(to), options);

  /** The key, the line and what answers on it. */
  const open = async (entry: Stored): Promise<Account> => {
    const wallet = new Wallet(entry.key);
    const address = wallet.address.toLowerCase() as Address;
    const signer: TransactionSigner = {
      address,
      signTransaction: async (transaction) => (await wallet.signTransaction({ type: 2, ...transaction })) as Hex,
    };
    const sender = chain.as(signer);
    // Folders are named by address: a name is anybody's words.
    const keyPair = await loadPeerKey(path.join(dataDir, 'peer-keys', address));
    const peerKey = toHex(keyPair.publicKey);
    const accountOf = { address, peerKey, send: sender.send.bind(sender) };
    let line: PeerLink | null = null;
    const link = (): PeerLink => {
      if (line) return line;
      throw new AppError('peer-unreachable', 'The line of this practice account is not open.');
    };
    const connect = connectFrom(link);
    const side =
      entry.role === 'client'
        ? clientSide(entry, accountOf, connect)
        : workerSide(entry, { ...accountOf, wallet }, connect);
    line = await openPeerLink({
      keyPair,
      role: entry.role === 'client' ? 'renter' : 'provider',
      binder: binderOf(wallet, address, chain.profile.chainId),
      bootstrap: parts.bootstrap === null ? null : [...parts.bootstrap],
      relays: [],
      tcp: { host: '127.0.0.1', port: 0 },
      handler: side.handler,
      clock,
      log: (message, details) => log.debug({ account: entry.name, ...details }, message),
    });
    const opened = line;
    return {
      stored: entry,
      address,
      wallet,
      peerKey,
      sender,
      link: opened,
      ...side,
      async close() {
        side.dispose();
        await opened.close();
      },
    };
  };

  type Side = Pick<Account, 'client' | 'worker' | 'onChain' | 'recover'> & { handler: PeerHandler; dispose(): void };

  const clientSide = (
    entry: Extract<Stored, { role: 'client' }>,
    account: JobDeskRoom['account'],
    connect: JobDeskRoom['connect'],
  ): Side => {
    const desk = new JobDesk({
      ...shared,
      account,
      connect,
      policy: { reserve: nothing, commit: nothing, release: nothing, endDeal: nothing },
      notify: (level, title, body, taskId) => log.info({ client: entry.name, level, taskId, body }, title),
    });
    return {
      client: {
        name: entry.name,
        address: account.address,
        initialBalance: BigInt(entry.initialBalance),
        desk,
        balance: () => chain.reads.vaultBalance(account.address, watts()),
      },
      worker: null,
      handler: {
        onRequest: (_connection, kind) => Promise.reject(unknownKind(kind)),
        onStream(connection, stream) {
          if (stream.kind !== 'content.blocks') throw unknownKind(stream.kind);
          serveContent(stream, shared.content, (root) => desk.mayRead(connection.remote.wallet, root));
        },
      },
      onChain: (events) => desk.onChain(events),
      recover: () => desk.recover(),
      dispose: () => desk.close(),
    };
  };

  const workerSide = (
    entry: Extract<Stored, { role: 'worker' }>,
    account: JobDeskRoom['account'] & { wallet: Wallet },
    connect: JobDeskRoom['connect'],
  ): Side => {
    const { address } = account;
    const offerId = chain.calls.offerId(address, saltOf(entry));
    const work = new JobWork(
      {
        account: {
          ...account,
          acceptanceSigner: address,
          signAcceptance: (jobId, offer, validUntil) => {
            if (!jobs) throw new AppError('unsupported', 'This network has no contract for jobs.');
            const place = { chainId: chain.profile.chainId, jobs };
            return signed(account.wallet, acceptancePayload(place, { jobId, offerId: offer, validUntil }));
          },
        },
        chain,
        ledger,
        runtimes,
        content: shared.content,
        connect,
        runsDir: path.join(dataDir, 'job-runs', address),
        gateways: shared.gateways,
        clock,
        log,
        randomBytes32: () => `0x${randomBytes(32).toString('hex')}`,
        limitsFor: (_offerId, spec) => practiceLimits(spec),
        onChange: (run) => parts.onRun(run),
        notify: (level, title, body, dealId) => log.info({ worker: entry.name, level, dealId, body }, title),
      },
      practiceDoor(offerId),
    );
    return {
      client: null,
      worker: {
        name: entry.name,
        address,
        gpuType: entry.gpuType,
        computeCapacity: entry.computeCapacity,
        stakeAmount: BigInt(entry.stakeAmount),
        offerId,
        work,
        earned() {
          const sums = ledger.movements.sum({
            chainId: chain.profile.chainId,
            account: address,
            kinds: ['earned', 'fee'],
          });
          return sums.get(watts()) ?? 0n;
        },
      },
      handler: {
        onRequest: (connection, kind, body) => work.onRequest(connection, kind, body),
        async onStream(connection, stream) {
          if (stream.kind !== 'content.blocks') await work.onStream(connection, stream);
          else serveContent(stream, shared.content, (root) => work.mayRead(root, connection.remote.wallet));
        },
      },
      onChain: (events) => work.onChain(events),
      recover: () => work.recover(),
      dispose: () => work.close(),
    };
  };

  /** Money, stake and offer as they were asked for. Idempotent: what is there already is left. */
  const setUp = async (account: Account): Promise<void> => {
    const { stored: entry, address, sender, peerKey } = account;
    if ((await chain.reads.walletBalance(address, ETH)) < LEAST_FEES_WEI) await top(address, ETH, FEES_WEI);
    // A practice network that was begun anew has none of what the book says about the old one.
    const once = `practice:${chain.profile.chainId}:${address}`;
    const toVault = async (wanted: bigint, what: string) => {
      const commandId = `${once}:deposit-${what}`;
      if (wanted === 0n || ledger.outgoing.byCommand(commandId)?.state === 'mined') return;
      await top(address, watts(), wanted);
      await sender.send(chain.calls.approve(watts(), wanted), { commandId: `${once}:approve-${what}` });
      await sender.send(chain.calls.deposit(watts(), wanted, address), { commandId });
    };
    if (entry.role === 'client') {
      await toVault(BigInt(entry.initialBalance), 'balance');
      return;
    }
    const { worker } = account;
    if (!worker) return;
    const { staked } = await chain.reads.stake('provider', address);
    const missing = worker.stakeAmount - staked;
    if (missing > 0n) {
      await toVault(worker.stakeAmount, 'stake');
      const room = {
        chain,
        account: { ...account, acceptanceSigner: address, send: sender.send.bind(sender), signAcceptance: never },
      };
      await stakeMore(room, missing, `${once}:stake`, new AbortController().signal);
    }
    await toVault(BOND_MONEY, 'bonds');
    // On the market only once it takes jobs.
    if (worker.work.state.value.state !== 'on') {
      await worker.work.start({ commandId: `${once}:work`, claimsOpen: true });
    }
    if (!(await chain.reads.offer(worker.offerId))) {
      const offer = practiceOffer({ ...worker, peerKey, token: watts(), endsBy: entry.endsBy });
      await sender.send(chain.calls.registerOffer(offer, saltOf(entry)), { commandId: `${once}:offer` });
    }
  };

  const keyOf = (role: Stored['role'], name: string) => `${role}:${name}`;

  /** Opens it, takes up what it left, has its events delivered. */
  const hold = (entry: Stored): Promise<Account> => {
    const key = keyOf(entry.role, entry.name);
    let held = holding.get(key);
    if (!held) {
      held = (async () => {
        const account = await open(entry);
        if (closed) {
          await account.close();
          throw new AppError('cancelled', 'This host is closing.');
        }
        accounts.set(key, account);
        if (account.client) parts.onDesk(account.client.desk);
        await account.recover();
        onAccounts.emit();
        return account;
      })();
      holding.set(key, held);
      held.catch(() => holding.delete(key));
    }
    return held;
  };

  /** Opened and set up. */
  const bring = async (entry: Stored): Promise<Account> => {
    const account = await hold(entry);
    const key = keyOf(entry.role, entry.name);
    let under = settingUp.get(key);
    if (!under) {
      under = setUp(account).finally(() => settingUp.delete(key));
      settingUp.set(key, under);
    }
    await under;
    return account;
  };

  /** In the file before anything is done with its key. */
  const make = async (fresh: Stored): Promise<Account> => {
    if (!PRACTICE_NAME.test(fresh.name)) {
      throw new AppError('bad-input', 'A name has 1 to 64 letters, digits, dots, - or _, and not only dots.', {
        field: 'name',
      });
    }
    const known = stored.find(({ role, name }) => role === fresh.role && name === fresh.name);
    if (known) return bring(known);
    if (stored.length >= MOST_ACCOUNTS) {
      throw new AppError('busy', `This host has ${MOST_ACCOUNTS} practice accounts, which is the most.`, {
        next: 'Use one of those that are there.',
      });
    }
    stored = [...stored, fresh];
    await writePrivateFile(file, JSON.stringify(stored));
    return bring(fresh);
  };
  const newKey = () => `0x${randomBytes(32).toString('hex')}`;

  return {
    async client(name, { initialBalance = 1000n * 10n ** 18n } = {}) {
      const account = await make({ name, role: 'client', key: newKey(), initialBalance: `${initialBalance}` });
      return account.client as PracticeClient;
    },
    async worker(name, { gpuType, computeCapacity, stakeAmount }) {
      const account = await make({
        name,
        role: 'worker',
        key: newKey(),
        gpuType,
        computeCapacity,
        stakeAmount: `${stakeAmount}`,
        endsBy: clock.now() + 365 * 86_400,
      });
      return account.worker as PracticeWorker;
    },
    findClient: (name) => accounts.get(keyOf('client', name))?.client ?? null,
    findWorker: (name) => accounts.get(keyOf('worker', name))?.worker ?? null,
    clients: () => [...accounts.values()].flatMap(({ client }) => client ?? []),
    workers: () => [...accounts.values()].flatMap(({ worker }) => worker ?? []),
    get addresses() {
      return [...accounts.values()].map(({ address }) => address);
    },
    onAccounts,
    onChain(events) {
      for (const account of accounts.values()) account.onChain(events);
    },
    withEndpoints,
    async recover() {
      const failed = (name: string) => (thrown: unknown) => {
        if (!closed)
          log.warn({ account: name, message: toAppError(thrown).message }, 'a practice account is not ready');
      };
      for (const entry of stored) {
        await hold(entry).then(() => void bring(entry).catch(failed(entry.name)), failed(entry.name));
      }
    },
    async close() {
      closed = true;
      await Promise.all([...accounts.values()].map((account) => account.close()));
      await runtimes.close();
    },
  };
}

const nothing = (): Promise<void> => Promise.resolve();
const never = (): Promise<never> => Promise.reject(new AppError('unsupported', 'Nothing is accepted here.'));

const unknownKind = (kind: string) =>
  new AppError('unsupported', `This practice account does not know ${kind.slice(0, 60)}.`);

const saltOf = ({ name }: Stored): Bytes32 => keccak256(toUtf8Bytes(`practice-offer:${name}`)) as Bytes32;

async function signed(wallet: Wallet, { domain, types, message }: TypedPayload): Promise<Hex> {
  const mutable = Object.fromEntries(Object.entries(types).map(([name, fields]) => [name, [...fields]]));
  return (await wallet.signTypedData(domain, mutable, message)) as Hex;
}

const binderOf = (wallet: Wallet, address: Address, chainId: number): PeerBinder => ({
  wallet: address,
  chainId,
  sign: (peerKey, role, notAfter) => signed(wallet, peerBindingPayload(chainId, { peerKey, role, notAfter })),
  recover(peerKey, role, notAfter, signature) {
    try {
      return signerOf(peerBindingPayload(chainId, { peerKey, role, notAfter }), signature);
    } catch {
      return null;
    }
  },
});

/** @throws AppError internal for a damaged file: new keys would leave the accounts' money behind. */
function readStored(text: string | null): Stored[] {
  if (text === null) return [];
  try {
    return fileSchema.parse(JSON.parse(text));
  } catch (thrown) {
    throw new AppError('internal', 'The file of practice accounts (accounts.json) is damaged.', {
      cause: thrown,
      next: 'Delete the folder “practice-accounts” in the data directory; only practice money is lost.',
    });
  }
}
