import { randomBytes, randomInt } from 'node:crypto';
import { statfs } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { Chain } from '../chain/chain.ts';
import type { ChainEvent } from '../chain/events.ts';
import type { ContentStore } from '../content/content-store.ts';
import { openContentStore } from '../content/open-content-store.ts';
import type { PeerHandler } from '../peer/peer-link.ts';
import type { Deals } from '../provider/deals.ts';
import { JobWork } from '../provider/job-work.ts';
import type { Sharing } from '../provider/sharing.ts';
import { contentSettings } from './content-settings.ts';
import { JobDesk } from '../renter/jobs/job-desk.ts';
import { letLeftInputsGo } from '../renter/jobs/submissions.ts';
import { Scheduling } from '../renter/jobs/scheduling.ts';
import type { DockerEngine } from '../runtime/docker-engine.ts';
import { openJobRuntimes } from '../runtime/job-runtimes.ts';
import { Emitter } from '../shared/emitter.ts';
import { AppError } from '../shared/errors.ts';
import type { Address, Bytes32 } from '../shared/ids.ts';
import type { Log } from '../shared/log.ts';
import type { Clock } from '../shared/time.ts';
import { acceptancePayload } from '../shared/typed-data.ts';
import type { JobRun, Ledger, Notification } from '../store/ledger.ts';
import type { Wallet } from '../wallet/wallet.ts';
import type { Line } from './line.ts';
import type { Network } from './network.ts';
import { openPracticeAccounts } from './practice-accounts.ts';
import type { JobRooms } from './rooms.ts';
import { serveContent } from './serve-content.ts';
import { sharedOfferDoor, sharedOfferLimits } from './shared-offer-door.ts';

export interface OpenJobRooms extends JobRooms {
  content: ContentStore;
  /** What peers ask of the main wallet about jobs and their content. */
  handler: PeerHandler;
  onChain(events: readonly ChainEvent[]): void;
  /** Accounts beside the main wallet whose events are needed, and when they change. */
  readonly otherAccounts: readonly Address[];
  onAccounts: Emitter<void>;
  /** Takes up what the last run left. Before the chain's events are delivered; the main wallet's once there is one. */
  recover(): Promise<void>;
  recoverMain(): Promise<void>;
  close(): Promise<void>;
}

/** Seconds by name, for tests and operators with slow lines: `COMMONWATT_JOBS='{"marginSeconds": 600}'`. No provider grants more. */
const tuningSchema = z.strictObject({ marginSeconds: z.int().min(1).max(1000).optional() });

export async function openJobRooms(parts: {
  dataDir: string;
  installId: string;
  chain: Chain;
  ledger: Ledger;
  wallet: Wallet;
  engine: DockerEngine;
  line: Line;
  network: Network;
  sharing: Sharing;
  deals: Deals;
  clock: Clock;
  log: Log;
  notify: (
    level: Notification['level'],
    title: string,
    body: string,
    about: Partial<Pick<Notification, 'taskId' | 'dealId'>>,
  ) => void;
}): Promise<OpenJobRooms> {
  const { dataDir, chain, ledger, wallet, engine, line, network, sharing, deals, clock, log, notify } = parts;
  const stack = new AsyncDisposableStack();
  try {
    const contentDir = path.join(dataDir, 'content');
    const { bavail, bsize } = await statfs(dataDir);
    const settings = contentSettings(ledger.settings, bavail * bsize);
    const content = await openContentStore({
      dir: contentDir,
      limitBytes: () => settings.limitBytes(),
      log,
      clock,
    });
    stack.defer(() => content.close());
    const runtimes = openJobRuntimes({ engine, dataDir, installId: parts.installId, clock, log });
    stack.defer(() => runtimes.close());
    const gateways = () => settings.gateways();
    letLeftInputsGo({ content, ledger, log });
    const taskChanged = new Emitter<string>();
    const runChanged = new Emitter<JobRun>();
    const desks = new Set<JobDesk>();
    const scheduling = new Scheduling({
      chain,
      ledger,
      clock,
      log,
      onChange: (taskIds) => {
        for (const taskId of taskIds.length === 0 ? [''] : taskIds) taskChanged.emit(taskId);
      },
    });
    stack.defer(() => scheduling.close());
    const { marginSeconds } = tuning();
    const shared = {
      chain,
      ledger,
      content,
      clock,
      log,
      gateways,
      resolveImage: (image: string, signal: AbortSignal) => engine.resolveImage(image, signal),
      randomSeed: () => randomInt(2 ** 47),
      onChange: (taskId: string) => taskChanged.emit(taskId),
      onWaiting: () => scheduling.poke(),
      ...(marginSeconds === undefined ? {} : { marginSeconds }),
    };
    const accounts = network.fund
      ? await openPracticeAccounts({
          dataDir: path.join(dataDir, 'practice-accounts'),
          fund: network.fund,
          bootstrap: network.peers.bootstrap,
          desk: shared,
          onRun: (run) => runChanged.emit(run),
          onDesk(desk) {
            desks.add(desk);
            scheduling.add(desk);
          },
          neighbours: () => {
            const { link } = line.state.value;
            return link ? [{ peerKey: link.peerKey, endpoints: link.endpoints }] : [];
          },
        })
      : null;
    if (accounts) stack.defer(() => accounts.close());

    /** Accounts of this host are found without looking them up. */
    const connect: ConstructorParameters<typeof JobDesk>[0]['connect'] = (to, options) =>
      line.connect(accounts?.withEndpoints(to) ?? to, options);
    const peerKey: Bytes32 = await line.peerKey;
    const desk = new JobDesk({
      ...shared,
      account: {
        get address() {
          return wallet.signer().address;
        },
        peerKey,
        send: (call, options) => chain.send(call, options),
      },
      connect,
      policy: wallet.policy,
      notify: (level, title, body, taskId) => notify(level, title, body, { taskId }),
    });
    desks.add(desk);
    scheduling.add(desk);
    stack.defer(() => desk.close());
    const work = new JobWork(
      {
        account: {
          get address() {
            return wallet.signer().address;
          },
          acceptanceSigner: wallet.hostKey.address,
          send: (call, options) => chain.send(call, options),
          signAcceptance: (jobId, offerId, validUntil) => {
            const { jobs } = chain.profile.contracts;
            if (!jobs) throw new AppError('unsupported', 'This network has no contract for jobs.');
            const place = { chainId: chain.profile.chainId, jobs };
            return wallet.hostKey.signTypedData(acceptancePayload(place, { jobId, offerId, validUntil }));
          },
        },
        chain,
        ledger,
        runtimes,
        content,
        connect,
        runsDir: path.join(dataDir, 'job-runs'),
        gateways,
        clock,
        log,
        randomBytes32: () => `0x${randomBytes(32).toString('hex')}`,
        limitsFor: (offerId, spec) => sharedOfferLimits(sharing, offerId, spec),
        onChange: (run) => runChanged.emit(run),
        notify: (level, title, body, dealId) => notify(level, title, body, { dealId }),
      },
      sharedOfferDoor(sharing, deals, engine),
    );
    stack.defer(() => work.close());

    const everything = stack.move();
    return {
      desk,
      work,
      scheduling,
      deskOf: (account) => [...desks].find((one) => addressOf(one) === account) ?? null,
      taskChanged,
      runChanged,
      accounts,
      content,
      contentSettings: settings,
      handler: {
        onRequest: (connection, kind, body) => work.onRequest(connection, kind, body),
        onStream: async (connection, stream) => {
          if (stream.kind !== 'content.blocks') {
            await work.onStream(connection, stream);
            return;
          }
          const reader = connection.remote.wallet;
          serveContent(stream, content, (root) => work.mayRead(root, reader) || desk.mayRead(reader, root));
        },
      },
      onChain(events) {
        work.onChain(events);
        desk.onChain(events);
        accounts?.onChain(events);
      },
      get otherAccounts() {
        return accounts?.addresses ?? [];
      },
      onAccounts: accounts?.onAccounts ?? new Emitter<void>(),
      async recover() {
        await accounts?.recover();
      },
      async recoverMain() {
        await work.recover();
        await desk.recover();
      },
      close: () => everything.disposeAsync(),
    };
  } catch (thrown) {
    await stack.disposeAsync();
    throw thrown;
  }
}

function addressOf(desk: JobDesk): Address | null {
  try {
    return desk.address;
  } catch {
    return null;
  }
}

/** @throws AppError bad-input */
function tuning(): z.infer<typeof tuningSchema> {
  const text = process.env['COMMONWATT_JOBS'];
  if (text === undefined || text === '') return {};
  try {
    return tuningSchema.parse(JSON.parse(text));
  } catch (thrown) {
    throw new AppError('bad-input', 'COMMONWATT_JOBS must be JSON such as {"marginSeconds": 600}.', {
      field: 'COMMONWATT_JOBS',
      cause: thrown,
    });
  }
}
