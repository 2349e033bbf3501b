/** A decision from the proposal to what it changes, on a chain whose time the test turns forward. */
import { Wallet, id } from 'ethers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ETH } from '../shared/ids.ts';
import type { Address, Bytes32, Hex } from '../shared/ids.ts';
import { feeFor } from '../shared/money.ts';
import type { RentalTerms } from '../shared/rental.ts';
import { makeCalls } from './calls.ts';
import type { Call } from './chain.ts';
import { parametersInterface, vaultInterface } from './contract-interfaces.ts';
import { deployMarket } from './deploy.ts';
import { makeGovernanceCalls, proposalIdOf, readProposal, stakingOf } from './governance.ts';
import { findAnvil, startAnvil } from './practice/anvil-process.ts';
import type { AnvilProcess } from './practice/anvil-process.ts';
import { ETH_TOKEN, wattToken } from './profile.ts';
import type { NetworkProfile } from './profile.ts';
import { createReads } from './reads.ts';
import { receiptsOf } from './receipts.ts';
import { explainRefusal } from './revert-reasons.ts';
import { RpcError, toQuantity, toRecord } from './rpc.ts';
import { salt, signFinal, termsFor, testOffer, transactionSignerOf } from './testing-host.ts';

const CHAIN_ID = 515_151;
const HOUR = 3600;
const DAY = 86_400;
const WATT = 10n ** 18n;
const walletOf = (name: string) => new Wallet(id(`governance test ${name}`));
const addressOf = (wallet: Wallet) => wallet.address.toLowerCase() as Address;
const [admin, provider, renter, session] = ['admin', 'provider', 'renter', 'session'].map(walletOf) as [
  Wallet,
  Wallet,
  Wallet,
  Wallet,
];

let anvil: AnvilProcess;
let profile: NetworkProfile;
let calls: ReturnType<typeof makeCalls>;
let governance: ReturnType<typeof makeGovernanceCalls>;

async function send(wallet: Wallet, { to, data, value }: Pick<Call, 'to' | 'data' | 'value'>): Promise<void> {
  const account = addressOf(wallet);
  const nonce = toQuantity(await anvil.rpc.call('eth_getTransactionCount', [account, 'latest']), 'a nonce');
  // A call that reverts says why; a transaction would only fail.
  await anvil.rpc.call('eth_call', [{ from: account, to, data, value: `0x${value.toString(16)}` }, 'latest']);
  const raw = await wallet.signTransaction({
    type: 2,
    chainId: CHAIN_ID,
    nonce,
    to,
    data,
    value,
    gasLimit: 2_000_000n,
    maxFeePerGas: 10n ** 11n,
    maxPriorityFeePerGas: 1n,
  });
  const hash = (await anvil.rpc.call('eth_sendRawTransaction', [raw])) as Bytes32;
  await anvil.rpc.call('evm_mine', []);
  expect((await receiptsOf(anvil.rpc, [hash])).get(hash)?.succeeded).toBe(true);
}

const now = async () =>
  toQuantity(
    toRecord(await anvil.rpc.call('eth_getBlockByNumber', ['latest', false]), 'a block')['timestamp'],
    'a block',
  );

async function wait(seconds: number): Promise<void> {
  await anvil.rpc.call('evm_increaseTime', [seconds]);
  await anvil.rpc.call('evm_mine', []);
}

async function read(to: Address, data: string): Promise<bigint> {
  return BigInt((await anvil.rpc.call('eth_call', [{ to, data }, 'latest'])) as string);
}
const currentFee = () =>
  read(stakingOf(profile.contracts).parameters, parametersInterface.encodeFunctionData('feeBps', []));
const feesEarned = () =>
  read(profile.contracts.vault, vaultInterface.encodeFunctionData('balanceOf', [addressOf(admin), ETH]));

async function stakeAs(wallet: Wallet, role: 'provider' | 'validator', amount: bigint): Promise<void> {
  const { watt, stakes } = stakingOf(profile.contracts);
  await send(admin, calls.transfer(watt, addressOf(wallet), amount));
  await send(wallet, calls.approve(watt, amount));
  await send(wallet, calls.deposit(watt, amount, addressOf(wallet)));
  await send(wallet, calls.authorize(stakes, true));
  await send(wallet, calls.stake(role, amount));
}

/** What the contract answers, in the app's words. */
async function refusal(sending: Promise<void>): Promise<string> {
  const thrown: unknown = await sending.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(thrown instanceof RpcError)) throw new Error(`not refused: ${String(thrown)}`);
  return String(explainRefusal(thrown, profile));
}

beforeEach(async () => {
  anvil = await startAnvil({ binary: findAnvil(), chainId: CHAIN_ID });
  await anvil.rpc.call('evm_setAutomine', [true]);
  for (const wallet of [admin, provider, renter]) {
    await anvil.rpc.call('anvil_setBalance', [addressOf(wallet), '0x3635c9adc5dea00000']);
  }
  const { contracts } = await deployMarket({
    rpc: anvil.rpc,
    chainId: CHAIN_ID,
    signer: transactionSignerOf(admin),
    treasury: addressOf(admin),
    practice: true,
    pollMs: 20,
  });
  await anvil.rpc.call('evm_setAutomine', [false]);
  profile = {
    name: 'governed',
    chainId: CHAIN_ID,
    rpcUrls: [anvil.url],
    contracts,
    tokens: [ETH_TOKEN, wattToken(stakingOf(contracts).watt)],
    confirmations: 0,
    pollMs: 20,
    explorer: null,
    peers: { bootstrap: [], relays: [] },
    faucet: null,
    practice: true,
  };
  calls = makeCalls(contracts);
  governance = makeGovernanceCalls(contracts);
});
afterEach(() => anvil.stop());

describe('governance', () => {
  test('a proposal is voted by stake, waits, and changes the fee for new deals only', async () => {
    await stakeAs(provider, 'provider', 600n * WATT);
    await stakeAs(renter, 'validator', 400n * WATT);
    await stakeAs(admin, 'provider', 10n * WATT);

    const offer = testOffer({ now: () => 4_000_000_000 } as Parameters<typeof testOffer>[0], addressOf(provider), {
      units: 4,
    });
    await send(provider, calls.registerOffer(offer, salt(1)));
    const offerId = calls.offerId(addressOf(provider), salt(1));
    const termsAt = (n: number, feeBps: number): RentalTerms => ({
      ...termsFor(offerId, offer, {
        renter: addressOf(renter),
        provider: addressOf(provider),
        signer: addressOf(session),
        salt: salt(n),
      }),
      feeBps,
    });
    const open = (terms: RentalTerms) => send(renter, calls.openLease(terms, HOUR, offer.price));
    const close = async (terms: RentalTerms): Promise<bigint> => {
      const before = await feesEarned();
      const final = { leaseId: calls.leaseId(terms), secs: HOUR, deadline: (await now()) + DAY };
      const [renterSignature, providerSignature] = await Promise.all(
        [session, provider].map((wallet) => signFinal(profile, wallet, final)),
      );
      const signed = { renterSignature: renterSignature as Hex, providerSignature: providerSignature as Hex };
      await send(provider, calls.closeLease(terms, { ...final, ...signed }));
      return (await feesEarned()) - before;
    };

    const old = termsAt(2, 250);
    await open(old);

    // Propose, with stake that was there a second before.
    await wait(1);
    const proposal = { actions: [governance.setFee(500)], description: 'Raise the fee to 5 %' };
    const proposalId = proposalIdOf(proposal);
    expect(await refusal(send(admin, governance.propose(proposal)))).toContain('Proposing takes 100 WATT of stake.');
    await send(provider, governance.propose(proposal));
    expect(await readProposal(anvil.rpc, profile.contracts, proposalId)).toMatchObject({ state: 'pending' });

    // Vote, by stake: 600 for, 400 against.
    await wait(DAY + 1);
    await send(provider, governance.vote(proposalId, 'for'));
    await send(renter, governance.vote(proposalId, 'against'));
    expect(await readProposal(anvil.rpc, profile.contracts, proposalId)).toMatchObject({
      state: 'active',
      votes: { for: 600n * WATT, against: 400n * WATT, abstain: 0n },
    });

    // Queue.
    await wait(5 * DAY + 1);
    await send(provider, governance.queue(proposal));
    const queued = await readProposal(anvil.rpc, profile.contracts, proposalId);
    expect(queued).toMatchObject({ state: 'queued', executableAt: (await now()) + 2 * DAY });
    expect(await refusal(send(provider, governance.execute(proposal)))).toContain('TimelockUnexpectedOperationState');
    expect(await currentFee()).toBe(250n);

    // Execute: anybody may.
    await wait(2 * DAY);
    await send(admin, governance.execute(proposal));
    expect(await readProposal(anvil.rpc, profile.contracts, proposalId)).toMatchObject({ state: 'executed' });
    expect(await currentFee()).toBe(500n);

    // New deals pay the new fee, the lease that was open pays the old one.
    expect(await refusal(open(termsAt(3, 250)))).toMatch(/fee/i);
    const fresh = termsAt(4, 500);
    await open(fresh);
    expect(await close(old)).toBe(feeFor(offer.price, 250));
    await wait(HOUR);
    expect(await close(fresh)).toBe(feeFor(offer.price, 500));
  }, 90_000);

  test('whoever deployed has let go, and stake leaves in seven days', async () => {
    const { parameters } = stakingOf(profile.contracts);
    const setFee = parametersInterface.encodeFunctionData('setFee', [0]) as Hex;
    expect(await refusal(send(admin, { to: parameters, data: setFee, value: 0n }))).toContain(
      'AccessManagedUnauthorized',
    );
    await stakeAs(provider, 'provider', 100n * WATT);
    const noOffer = () => Promise.reject(new Error('no offer is read here'));
    const stake = () => createReads(profile, anvil.rpc, noOffer).stake('provider', addressOf(provider));
    expect(await stake()).toEqual({ staked: 100n * WATT, unbonding: 0n, atRisk: 0n, releaseAt: 0, active: true });
    await send(provider, calls.unbondStake('provider', 40n * WATT));
    expect(await stake()).toMatchObject({ staked: 60n * WATT, unbonding: 40n * WATT, active: false });
    expect(await refusal(send(provider, calls.releaseStake('provider')))).toContain('The stake can be released from');
    await wait(7 * DAY);
    await send(provider, calls.releaseStake('provider'));
    expect(await stake()).toMatchObject({ staked: 60n * WATT, unbonding: 0n });
    await send(provider, calls.withdraw(stakingOf(profile.contracts).watt, addressOf(provider), 40n * WATT));
  }, 60_000);
});
