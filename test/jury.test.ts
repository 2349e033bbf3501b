/** A disputed result and its jury: the real contracts, validators by hand, and both sides' apps that have it drawn. */
import { Contract, JsonRpcProvider, NonceManager, Wallet, id, type ContractTransactionResponse } from 'ethers';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ATTESTATIONS_ABI } from '../src/chain/abi/Attestations.ts';
import { JURIES_ABI } from '../src/chain/abi/Juries.ts';
import { STAKES_ABI } from '../src/chain/abi/Stakes.ts';
import { VAULT_ABI } from '../src/chain/abi/Vault.ts';
import { WATT_ABI } from '../src/chain/abi/Watt.ts';
import { ETH, type Address, type Bytes32 } from '../src/shared/ids.ts';
import { commitmentOf } from '../src/verify/attestations-model.ts';
import { VERDICT, verdictCommitment } from '../src/verify/juries-model.ts';
import { DeskWorld, WATT } from './support/desk-world.ts';
import { anvilMissing } from './support/market.ts';

const DAY = 86_400;
const REVEALED = DAY + 6 * 3600;
const STAKE = 1000n * WATT;
const SALT = id('salt') as Bytes32;
const missing = anvilMissing();

describe.skipIf(missing !== null)(`a jury${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  let world: DeskWorld;
  let rpc: JsonRpcProvider;
  let validators: { account: Address; signer: NonceManager }[];

  const send = async (
    signer: NonceManager,
    [to, abi]: readonly [Address | undefined, readonly object[]],
    method: string,
    ...args: unknown[]
  ): Promise<void> => {
    const call = new Contract(to ?? ETH, [...abi] as never, signer).getFunction(method);
    await ((await call(...args)) as ContractTransactionResponse).wait();
  };
  const at = () => world.network.profile.contracts;
  const attestations = () => [at().attestations, ATTESTATIONS_ABI] as const;
  const juries = () => [at().juries, JURIES_ABI] as const;
  const secretOf = (epoch: number, account: Address) => id(`${epoch} ${account}`) as Bytes32;
  const today = () => Math.floor(world.clock.now() / DAY);
  const jumpTo = (time: number) => world.jump(time - world.clock.now());

  /** On to the next day, whose draw they have all entered. */
  const enterDraw = async (): Promise<number> => {
    const epoch = today() + 1;
    for (const { account, signer } of validators) {
      await send(signer, attestations(), 'commit', account, commitmentOf(epoch, account, secretOf(epoch, account)));
    }
    await jumpTo(epoch * DAY + 60);
    return epoch;
  };

  /** On to the day after, when they show what drew them. */
  const showSecrets = async (epoch: number): Promise<void> => {
    await jumpTo((epoch + 1) * DAY + 60);
    for (const { account, signer } of validators) {
      await send(signer, attestations(), 'reveal', epoch, account, secretOf(epoch, account));
    }
  };

  /** A result that its renter has challenged. */
  const disputed = async (): Promise<{ taskId: string; caseId: Bytes32 }> => {
    const { taskIds } = await world.submit({ retries: 0 });
    const [taskId] = taskIds as [string];
    await world.until(taskId, ({ phase }) => phase === 'review');
    await world.desk.reject(taskId, 'It is wrong');
    const task = await world.until(taskId, ({ deals }) => deals[0]?.phase === 'disputed');
    return { taskId, caseId: task.deals[0]?.dealId as Bytes32 };
  };

  const drawn = async (caseId: Bytes32, drawUntil: number): Promise<void> => {
    const { chain } = world.providers[0]!.party;
    await chain.sync.until(() => (chain.jobDeal(caseId)?.jury?.endsAt ?? drawUntil) !== drawUntil);
  };

  beforeAll(async () => {
    world = await DeskWorld.open({ providers: 1, units: 2 });
    const { network, watt } = world;
    rpc = new JsonRpcProvider(network.profile.rpcUrls[0], network.profile.chainId, { staticNetwork: true });
    rpc.pollingInterval = 50;
    const { vault, stakes } = at();
    validators = [];
    for (let index = 0; index < 6; index += 1) {
      const wallet = new Wallet(id(`validator ${index}`), rpc);
      const account = wallet.address.toLowerCase() as Address;
      const signer = new NonceManager(wallet);
      await network.fund(account, { token: ETH, amount: WATT });
      await network.fund(account, { token: watt, amount: STAKE });
      await send(signer, [watt, WATT_ABI], 'approve', vault, STAKE);
      await send(signer, [vault, VAULT_ABI], 'deposit', watt, account, STAKE);
      await send(signer, [vault, VAULT_ABI], 'authorize', stakes, true);
      await send(signer, [stakes, STAKES_ABI], 'stake', 1, STAKE);
      validators.push({ account, signer });
    }
  }, 60_000);
  afterAll(async () => {
    rpc?.destroy();
    await world?.close();
  });
  beforeEach(() => {
    world.providers[0]!.runtimes.onStart = (process) => process.exit(3);
  });

  test('where the renter’s is not there the provider’s has it drawn a minute later', async () => {
    const epoch = await enterDraw();
    const { taskId, caseId } = await disputed();
    world.kill();
    await showSecrets(epoch);
    const drawFrom = epoch * DAY + REVEALED;
    await jumpTo(drawFrom + 70);
    await drawn(caseId, drawFrom + DAY);
    // Nobody votes: the provider is paid once the jury's time is over.
    await world.startDesk();
    await world.jump(36 * 3600 + 60);
    await world.ended(taskId);
    expect(world.renter.chain.jobDeal(caseId)).toMatchObject({ state: 'verified', paid: WATT });
  }, 90_000);

  // Last: its provider's stake is too low afterwards.
  test('the renter’s app has it drawn as soon as it can be, and carries out what it finds', async () => {
    const epoch = await enterDraw();
    const { taskId, caseId } = await disputed();
    const { reads } = world.renter.chain;
    const drawFrom = epoch * DAY + REVEALED;
    expect(await reads.jury(caseId)).toEqual({ verdict: 'none', over: false, endsAt: drawFrom + DAY, drawFrom });
    await showSecrets(epoch);
    // Sooner it cannot be drawn, whoever asks.
    const early = world.renter.chain.calls.drawJury(world.task(taskId).terms!, world.task(taskId).deals[0]!.offerId);
    await expect(world.renter.chain.send(early, { commandId: 'early' })).rejects.toMatchObject({ code: 'conflict' });
    await jumpTo(drawFrom + 10);
    await drawn(caseId, drawFrom + DAY);
    expect(await reads.jury(caseId)).toMatchObject({ verdict: 'none', over: false, drawFrom: null });

    const kept = new Contract(at().juries as Address, JURIES_ABI, rpc);
    const { seats } = (await kept.getFunction('get')(caseId)) as { seats: bigint };
    expect(Number(seats)).toBeGreaterThanOrEqual(5);
    const commitments: [NonceManager, number][] = [];
    for (let seat = 0; seat < Number(seats); seat += 1) {
      const member = String(await kept.getFunction('memberOf')(caseId, seat)).toLowerCase() as Address;
      const juror = validators.find(({ account }) => account === member)!;
      const commitment = verdictCommitment(caseId, member, VERDICT.INVALID, SALT);
      await send(juror.signer, juries(), 'commit', caseId, seat, commitment);
      commitments.push([juror.signer, seat]);
    }
    for (const [signer, seat] of commitments) {
      await send(signer, juries(), 'reveal', caseId, seat, VERDICT.INVALID, SALT);
    }
    await world.jump(60);
    expect(await world.ended(taskId)).toMatchObject({ phase: 'failed', paid: null });
    expect(world.renter.chain.jobDeal(caseId)).toMatchObject({ state: 'rejected', refund: WATT });
    // What a jury rejects costs stake and standing; the challenger, here the renter, gets its part.
    const { party } = world.providers[0]!;
    await expect
      .poll(() => party.chain.standing(party.account), { timeout: 10_000 })
      .toMatchObject({ rejections: 1, reputation: 6666 });
    const rewards = world.renter.ledger.movements
      .list({ chainId: world.network.profile.chainId, account: world.renter.account })
      .filter(({ kind }) => kind === 'reward');
    expect(rewards).toHaveLength(1);
  }, 90_000);
});
