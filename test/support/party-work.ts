import path from 'node:path';
import { hexlify, randomBytes } from 'ethers';
import { signTyped } from '../../src/chain/testing-host.ts';
import type { JobRoom, WorkAccount, WorkDoor } from '../../src/provider/job-room.ts';
import { JobWork } from '../../src/provider/job-work.ts';
import type { JobRuntimes } from '../../src/runtime/job-runtime.ts';
import type { Address, Bytes32 } from '../../src/shared/ids.ts';
import { silentLog } from '../../src/shared/log.ts';
import { acceptancePayload } from '../../src/shared/typed-data.ts';
import type { Party } from './party.ts';

export const TICK_MS = 25;

/** The product's own work on jobs for a party with an offer; what the room of it should do otherwise stands in `room`. */
export function partyWork(
  { chain, ledger, content, link, account, hostKey, hostAccount, folder, clock }: Party,
  {
    renter,
    offerId,
    runtimes,
    mayTake,
  }: { renter: Party; offerId: Bytes32; runtimes: JobRuntimes } & Pick<WorkDoor, 'mayTake'>,
  {
    send = (call, options) => chain.send(call, options),
    ...room
  }: Partial<JobRoom> & Partial<Pick<WorkAccount, 'send'>> = {},
): JobWork {
  const at = { chainId: chain.profile.chainId, jobs: chain.profile.contracts.jobs as Address };
  return new JobWork(
    {
      account: {
        address: account,
        acceptanceSigner: hostAccount,
        send,
        signAcceptance: (jobId, offer, validUntil) =>
          signTyped(hostKey, acceptancePayload(at, { jobId, offerId: offer, validUntil })),
      },
      chain,
      ledger,
      runtimes,
      content,
      connect: (_to, options) => link.connect({ peerKey: renter.peerKey, endpoints: renter.link.endpoints }, options),
      runsDir: path.join(folder, 'runs'),
      gateways: () => [],
      clock,
      log: silentLog,
      randomBytes32: () => hexlify(randomBytes(32)) as Bytes32,
      tickMs: TICK_MS,
      limitsFor: (_offerId, { resources: { cpus, memoryBytes, diskBytes } }) => ({
        cpus,
        memoryBytes,
        diskBytes,
        pids: 128,
        uploadBitsPerSecond: null,
        gpuIds: [],
      }),
      onChange: () => undefined,
      notify: () => undefined,
      ...room,
    },
    { offers: () => [offerId], mayTake },
  );
}
