/**
 * What every call costs, measured as transactions on a real chain (calldata, signatures and refunds included) with the
 * committed bytecode. Kept in snapshots/gas.json.
 *
 *   node contracts/tools/gas.mjs            measure and write
 *   node contracts/tools/gas.mjs --check    fail where a call costs over 1 % more or less than what is committed
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Signature, id } from 'ethers';
import { digestOf, finalPayload, leaseIdOf, offerIdOf, specHash, voucherPayload } from '../../src/shared/typed-data.ts';
import { ETH } from '../../src/shared/ids.ts';
import { CHAIN_ID, START_AT, hasAnvil, startChain } from './chain.mjs';
import { CONTRACTS } from './compiler.mjs';
import { measureJobs } from './gas-jobs.mjs';
import { measureValidators } from './gas-of-validators.mjs';

const FILE = path.join(CONTRACTS, 'snapshots/gas.json');
const HOUR = 3600;

/**
 * @param seen is told of every measured transaction: its name and receipt, and the chain it is on
 * @param atEnd may ask that chain what it likes when all is measured
 * @returns {Promise<Record<string, number>>} gas by call
 */
export async function measureGas(seen = () => {}, atEnd = () => {}) {
  const chain = await startChain();
  try {
    const gas = await measureOn(chain, seen);
    await atEnd(chain);
    return gas;
  } finally {
    await chain.close();
  }
}

async function measureOn(chain, seen) {
  const { contracts, at, wallet, send, provider, deployGas } = chain;
  const gas = {};
  const record = async (name, sending) => {
    const receipt = await send(sending);
    gas[name] = Number(receipt.gasUsed);
    await seen(name, receipt, chain);
    return receipt;
  };
  /** Is seen, but not measured: costs what chance has it cost, or is there only to be seen. */
  const show = async (sending) => {
    const receipt = await send(sending);
    await seen('', receipt, chain);
    return receipt;
  };
  for (const [name, used] of Object.entries(deployGas)) gas[`deploy ${name}`] = used;
  const [provider1, host, renter, session, admin] = await Promise.all(
    ['provider', 'provider host', 'renter', 'renter host', 'admin'].map((name) => wallet(name)),
  );
  const { Vault, Offers, Rentals, PracticeDollar, Parameters, Record } = contracts;
  const as = (contract, who) => contract.connect(who);
  const place = { chainId: CHAIN_ID, rentals: at.Rentals };
  const sign = (who, payload) => who.signingKey.sign(digestOf(payload)).serialized;
  const later = async (seconds) => {
    await provider.send('evm_increaseTime', [seconds]);
    await provider.send('evm_mine', []);
  };

  const params = {
    gpuType: 'rtx-4090',
    gpuModel: 'GeForce RTX 4090',
    region: 'eu-central',
    features: 'cuda-12.8,pytorch,docker',
    token: at.PracticeDollar,
    price: 1_750_000n,
    unit: HOUR,
    minSeconds: 60,
    endsBy: START_AT + 365 * 86_400,
    gpuCount: 2,
    gpuMemoryGb: 24,
    units: 500,
    peerKey: id('peer key'),
    providerSigner: host.address,
  };
  const salt = id('offer');
  const offerId = offerIdOf(provider1.address, salt);
  await record('Offers.register', as(Offers, provider1).register(params, salt));
  await record('Offers.update', as(Offers, provider1).update(offerId, params));
  await record('Offers.pause', as(Offers, provider1).pause(offerId));
  await record('Offers.resume', as(Offers, provider1).resume(offerId));
  const ethSalt = id('offer in ETH');
  const ethOffer = offerIdOf(provider1.address, ethSalt);
  await send(as(Offers, provider1).register({ ...params, token: ETH, price: 10n ** 15n }, ethSalt));

  await show(as(PracticeDollar, admin).mint(renter.address, 10n ** 12n));
  await send(as(PracticeDollar, renter).approve(at.Vault, 2n ** 256n - 1n));
  await record('Vault.deposit', as(Vault, renter).deposit(at.PracticeDollar, renter.address, 10n ** 10n));
  await record('Vault.depositETH', as(Vault, renter).depositETH(renter.address, { value: 10n ** 18n }));
  await record('Vault.authorize', as(Vault, renter).authorize(at.Rentals, true));

  let salts = 0;
  const termsOf = (changes = {}) => ({
    offerId,
    offerVersion: 4n,
    renter: renter.address,
    provider: provider1.address,
    signer: session.address,
    providerSigner: host.address,
    witness: ETH,
    token: at.PracticeDollar,
    price: 1_750_000n,
    unit: HOUR,
    minSeconds: 60,
    endsBy: params.endsBy,
    feeBps: 250,
    specHash: specHash({ image: 'busybox:1.36' }),
    salt: id(`lease ${salts++}`),
    ...changes,
  });
  const final = (terms, secs, deadline = START_AT + 86_400 * 3) => {
    const payload = finalPayload(place, leaseIdOf(terms), secs, deadline);
    return [terms, secs, deadline, sign(session, payload), sign(host, payload)];
  };
  const voucher = (terms, secs) => [terms, secs, sign(session, voucherPayload(place, leaseIdOf(terms), secs))];
  const open = async (cap = HOUR, changes = {}) => {
    const terms = termsOf(changes);
    await send(as(Rentals, renter).open(terms, cap));
    return terms;
  };

  const first = termsOf();
  await record('Rentals.open, first ever', as(Rentals, renter).open(first, HOUR));
  await later(1200);
  await record('Rentals.close, first ever', as(Rentals, renter).close(...final(first, 1200)));

  // What a market in use pays: both sides have been there before, the renter has another lease running.
  const other = await open(2 * HOUR);
  const usual = termsOf();
  await record('Rentals.open', as(Rentals, renter).open(usual, HOUR));
  await later(600);
  await record('Rentals.close', as(Rentals, provider1).close(...final(usual, 600)));
  await record('Record.recordLease', as(Record, host).recordLease(usual));
  await record('Rentals.extend', as(Rentals, renter).extend(other, HOUR));
  await record('Rentals.draw', as(Rentals, host).draw(...voucher(other, 300)));
  await record('Rentals.settle', as(Rentals, host).settle(...voucher(other, 500)));
  const single = termsOf();
  await record('Rentals.open, only lease', as(Rentals, renter).open(single, HOUR));
  await record('Rentals.release', as(Rentals, host).release(single));

  const inEth = termsOf({ offerId: ethOffer, offerVersion: 1n, token: ETH, price: 10n ** 15n });
  await record('Rentals.open, ETH sent along', as(Rentals, renter).open(inEth, HOUR, { value: 10n ** 15n }));
  await later(100);
  await record('Rentals.terminate', as(Rentals, renter).terminate(inEth, 0));
  await record('Rentals.raise', as(Rentals, host).raise(...voucher(inEth, 90)));
  await later(86_400);
  await record('Rentals.finalize', as(Rentals, host).finalize(inEth));
  const forgotten = await open();
  await later(HOUR + 86_400);
  await record('Rentals.expire', as(Rentals, host).expire(forgotten));

  const many = Array.from({ length: 50 }, () => termsOf());
  const batched = (method, calls) => calls.map((args) => Rentals.interface.encodeFunctionData(method, args));
  const opened = await send(
    as(Rentals, renter).multicall(
      batched(
        'open',
        many.map((terms) => [terms, HOUR]),
      ),
    ),
  );
  gas['Rentals.open, each of 50'] = Math.round(Number(opened.gasUsed) / many.length);
  await later(60);
  const deadline = START_AT + 86_400 * 30;
  const closed = await send(
    as(Rentals, renter).multicall(
      batched(
        'close',
        many.map((terms) => final(terms, 60, deadline)),
      ),
    ),
  );
  gas['Rentals.close, each of 50'] = Math.round(Number(closed.gasUsed) / many.length);

  // The witnessed lease is of the offer in ETH: the other is the one that validators suspend.
  const openWitnessed = async (witness) => {
    const terms = termsOf({ offerId: ethOffer, offerVersion: 1n, token: ETH, price: 10n ** 15n, witness });
    await send(as(Rentals, renter).open(terms, 8 * HOUR, { value: 8n * 10n ** 15n }));
    return terms;
  };
  const draws = await measureValidators(chain, record, openWitnessed, offerId);

  gas['Jobs, post + assign + submit + accept'] = await measureJobs(chain, { record, show, later }, params, draws);

  await record('Vault.withdraw', as(Vault, provider1).withdraw(at.PracticeDollar, provider1.address, 100n));
  await record('Vault.withdraw, ETH', as(Vault, renter).withdraw(ETH, renter.address, 10n ** 17n));
  await record('Offers.delist', as(Offers, provider1).delist(offerId));
  await record('Parameters.setFee', as(Parameters, admin).setFee(300));
  await record('Parameters.pauseNewDeals', as(Parameters, admin).pauseNewDeals());
  await show(as(Parameters, admin).resumeNewDeals());
  await show(as(Parameters, admin).allowToken(at.Watt));
  await show(as(Parameters, admin).setSlash(1500));
  await show(as(Parameters, admin).setInactiveBelow(40));
  await show(as(Parameters, admin).setMinStakes(200n * 10n ** 18n, 2000n * 10n ** 18n));
  await depositWithPermit(chain, renter, show);
  await measureStakes({ contracts, at, wallet, send, record, later });
  return gas;
}

/** What a wallet signs instead of an approval: ERC-2612. */
async function depositWithPermit({ contracts, at, provider }, owner, show) {
  const { PracticeDollar, Vault } = contracts;
  const { chainId } = await provider.getNetwork();
  const domain = { name: 'Practice Dollar', version: '1', chainId, verifyingContract: at.PracticeDollar };
  const word = (name, type) => ({ name, type });
  const types = {
    Permit: [
      ...[word('owner', 'address'), word('spender', 'address'), word('value', 'uint256')],
      ...[word('nonce', 'uint256'), word('deadline', 'uint256')],
    ],
  };
  const value = 1_000_000n;
  const deadline = START_AT + 365 * 86_400;
  const nonce = await PracticeDollar.nonces(owner.address);
  const permit = { owner: owner.address, spender: at.Vault, value, nonce, deadline };
  const { v, r, s } = Signature.from(await owner.signTypedData(domain, types, permit));
  await show(Vault.connect(owner).depositWithPermit(at.PracticeDollar, owner.address, value, deadline, v, r, s));
}

/** Stakes, and a decision from the proposal to its execution. */
async function measureStakes({ contracts, at, wallet, send, record, later }) {
  const [admin, treasury, staker] = await Promise.all(['admin', 'treasury', 'staker'].map((name) => wallet(name)));
  const { AccessManager, Parameters, StakeGovernor, Stakes, Vault, Watt } = contracts;
  // Enough for a quorum beside everybody else who has staked here.
  const amount = 10_000_000n * 10n ** 18n;
  const [asProvider, asValidator] = [0, 1];
  const mine = Stakes.connect(staker);
  await send(Watt.connect(treasury).transfer(staker.address, 4n * amount));
  await send(Watt.connect(staker).approve(at.Vault, 4n * amount));
  await send(Vault.connect(staker).deposit(at.Watt, staker.address, 4n * amount));
  await send(Vault.connect(staker).authorize(at.Stakes, true));
  // Each in a second of its own: votes of one second share a checkpoint, and how many there are is what asking costs.
  await send(mine.stake(asProvider, amount));
  await later(1);
  await record('Stakes.stake, again', mine.stake(asProvider, amount));
  await later(1);
  await send(mine.stake(asValidator, amount));
  await later(1);
  await send(mine.unbond(asProvider, amount));
  await later(7 * 86_400);
  await record('Stakes.release', mine.release(asProvider));
  await record('Stakes.delegate', mine.delegate(admin.address));
  await send(mine.delegate(staker.address));

  await send(AccessManager.grantRole(0, at.TimelockController, 0));
  await later(1);
  const governor = StakeGovernor.connect(staker);
  const words = 'Lower the fee to 2 %';
  const proposal = [[at.Parameters], [0], [Parameters.interface.encodeFunctionData('setFee', [200])]];
  await record('StakeGovernor.propose', governor.propose(...proposal, words));
  const proposalId = await governor.hashProposal(...proposal, id(words));
  await later(86_401);
  await record('StakeGovernor.castVote', governor.castVote(proposalId, 1));
  await later(5 * 86_400 + 1);
  await record('StakeGovernor.queue', governor.queue(...proposal, id(words)));
  await later(2 * 86_400);
  await record('StakeGovernor.execute', governor.execute(...proposal, id(words)));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  if (!hasAnvil) {
    console.log('SKIPPED gas: no anvil binary for this system.');
    process.exit(0);
  }
  const gas = await measureGas();
  if (process.argv.includes('--check')) {
    const known = JSON.parse(readFileSync(FILE, 'utf8'));
    const names = new Set([...Object.keys(known), ...Object.keys(gas)]);
    const off = [...names].filter(
      (name) => !(Math.abs((gas[name] ?? 0) - (known[name] ?? 0)) <= (known[name] ?? 0) / 100),
    );
    for (const name of off) console.error(`${name}: ${known[name] ?? 'not known'} -> ${gas[name] ?? 'gone'}`);
    if (off.length > 0) console.error('Gas moved by more than 1 %. If it should: node contracts/tools/gas.mjs');
    process.exit(off.length > 0 ? 1 : 0);
  }
  writeFileSync(FILE, `${JSON.stringify(gas, null, 2)}\n`);
  console.log(JSON.stringify(gas, null, 2));
}
