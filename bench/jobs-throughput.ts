/** Jobs that the practice network sustains: post, assign, submit and accept, signed beforehand. */
import { makeJobCalls, jobContractsOf } from '../src/chain/job-calls.ts';
import type { Call } from '../src/chain/chain.ts';
import { jobsInterface } from '../src/chain/contract-interfaces.ts';
import { ETH, type Hex } from '../src/shared/ids.ts';
import type { JobTerms } from '../src/shared/job-terms.ts';
import { acceptancePayload, digestOf, jobIdOf } from '../src/shared/typed-data.ts';
import { cpuOffer } from '../test/support/cpu-offer.ts';
import { say } from './harness.ts';
import { hash, type SigningAccount, type ThroughputNetwork } from './throughput-network.ts';

const PAIRS = 8;
const JOBS_EACH = 60;
const JOBS = PAIRS * JOBS_EACH;
const INSIDE = 25;
const STAKE = 1000n * 10n ** 18n;
const DEPOSIT = 100_000_000n;
const SPEC = '{"version":1,"work":{"type":"kernel","model":"k_means"}}';

/** Prints jobs per second, and the share of the time that was not the EVM's. */
export async function measureJobs(chain: ThroughputNetwork): Promise<void> {
  const { network, profile, rpc, dollar, account, run, evmSeconds } = chain;
  const calls = { ...chain.calls, ...makeJobCalls(profile.contracts) };
  const { jobs, stakes } = jobContractsOf(profile.contracts);
  const watt = profile.tokens.find(({ symbol }) => symbol === 'WATT');
  if (!watt) throw new Error('the practice network names no WATT');
  const now = Math.floor(Date.now() / 1000);

  const endow = async (one: SigningAccount): Promise<void> => {
    await one.send(calls.approve(dollar.address, DEPOSIT));
    await one.send(calls.deposit(dollar.address, DEPOSIT, one.address));
    await one.send(calls.authorize(jobs, true));
  };
  const pair = async (index: number) => {
    const [renter, provider] = await Promise.all([account(`poster ${index}`), account(`worker ${index}`)]);
    await Promise.all([endow(renter), endow(provider)]);
    await network.fund(provider.address, { token: watt.address, amount: STAKE });
    await provider.send(calls.approve(watt.address, STAKE));
    await provider.send(calls.deposit(watt.address, STAKE, provider.address));
    await provider.send(calls.authorize(stakes, true));
    await provider.send(calls.stake('provider', STAKE));
    const offer = cpuOffer({
      token: dollar.address,
      peerKey: hash('peer'),
      providerSigner: provider.address,
      endsBy: now + 86_400,
      units: 1000,
    });
    await provider.send(calls.registerOffer(offer, hash('jobs')));
    await provider.send(calls.setJobOperator(renter.address));
    return { renter, provider, offerId: calls.offerId(provider.address, hash('jobs')) };
  };
  type Pair = Awaited<ReturnType<typeof pair>>;

  /** The four calls of one job, all by the renter, which its provider has named as its operator: one account, one order. */
  const job = ({ renter, provider, offerId }: Pair, name: string): Call[] => {
    const terms: JobTerms = {
      renter: renter.address,
      assignee: ETH,
      arbiter: ETH,
      token: dollar.address,
      bounty: 100_000n,
      bond: 20_000n,
      deadline: now + 6 * 3600,
      minRun: 60,
      window: 3600,
      minStake: 100n * 10n ** 18n,
      gpuCount: 1,
      gpuMemoryGb: 1,
      tier: 0,
      copies: 1,
      agree: 1,
      feeBps: 250,
      slashBps: 1000,
      specHash: hash(SPEC),
      salt: hash(name),
    };
    const { deadline: validUntil } = terms;
    const acceptance = { jobId: jobIdOf(terms), offerId, validUntil };
    const digest = digestOf(acceptancePayload({ chainId: profile.chainId, jobs }, acceptance));
    const signature = provider.key.sign(digest).serialized as Hex;
    return [
      calls.postJob(terms, SPEC, 0n),
      calls.assignJob(terms, offerId, validUntil, signature),
      calls.submitJob(terms, offerId, hash('result')),
      calls.acceptJob(terms, offerId),
    ];
  };

  const pairs: Pair[] = [];
  for (let index = 0; index < PAIRS; index += 1) pairs.push(await pair(index));
  say(`Signing ${JOBS} jobs of ${PAIRS} renters…`);
  const queues = await Promise.all(
    pairs.map(async (one, index) => {
      const raws: Hex[] = [];
      for (let n = 0; n < JOBS_EACH; n += 1) {
        for (const call of job(one, `job ${index} ${n}`)) raws.push(await one.renter.sign(call));
      }
      return raws;
    }),
  );
  const { seconds, firstBlock, blocks } = await run(queues);
  const settled = await rpc.getLogs({
    address: jobs,
    topics: [jobsInterface.getEvent('Settled')?.topicHash ?? ''],
    fromBlock: firstBlock,
  });
  if (settled.length !== JOBS) throw new Error(`${settled.length} of ${JOBS} jobs were paid`);

  // The same work inside one call.
  const [first] = pairs;
  if (!first) throw new Error('no renter');
  const inside = Array.from({ length: INSIDE }, (_, n) => job(first, `inside ${n}`)).flat();
  const all = jobsInterface.encodeFunctionData('multicall', [inside.map(({ data }) => data)]) as Hex;
  const question = jobsInterface.encodeFunctionData('domainSeparator') as Hex;
  const evm = (await evmSeconds(jobs, first.renter.address, all, question)) / INSIDE;
  const each = seconds / JOBS;
  say(`${JOBS} jobs (${4 * JOBS} transactions) in ${seconds.toFixed(1)} s and ${blocks} blocks`);
  say(
    `${(JOBS / seconds).toFixed(1)} jobs/s; EVM: ${(evm * 1e6).toFixed(0)} µs of the ${(each * 1e6).toFixed(0)} µs that a job takes`,
  );
  say(`Outside the EVM: ${(100 * (1 - evm / each)).toFixed(1)} %`);
}
