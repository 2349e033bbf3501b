/** What validators' calls cost, on the chain that gas.mjs has started: nine of them, one full day. */
import { id, keccak256 } from 'ethers';
import { attestationPayload, digestOf, leaseIdOf, witnessedVoucherPayload } from '../../src/shared/typed-data.ts';
import { STANDING, commitmentOf, leafOf, nodeOf } from '../../src/verify/attestations-model.ts';
import { CHAIN_ID } from './chain.mjs';

const DAY = 86_400;
const HOUR = 3600;
const VALIDATOR = 1;
const BOND = 10_000n * 10n ** 18n;

/**
 * @param record measures one transaction under a name
 * @param openWitnessed opens a lease with this witness and gives its terms
 * @param offerId an active offer, suspended and left paused
 * @returns {Promise<{enter(): Promise<void>, show(): Promise<void>}>} moves on to a day whose draw those who are left have
 *   entered, and from that to when its secrets are out
 */
export async function measureValidators({ contracts, at, wallet, send, provider }, record, openWitnessed, offerId) {
  const { Attestations, Stakes, Vault, Watt } = contracts;
  const treasury = await wallet('treasury');
  const names = Array.from({ length: 9 }, (_, index) => `validator ${index}`);
  const validators = await Promise.all(names.map((name) => wallet(name)));
  const now = async () => Number((await provider.getBlock('latest')).timestamp);
  const goTo = async (time) => {
    await provider.send('evm_setNextBlockTimestamp', [time]);
    await provider.send('evm_mine', []);
  };
  const place = { chainId: CHAIN_ID, attestations: at.Attestations };
  for (const validator of validators) {
    await send(Watt.connect(treasury).transfer(validator.address, BOND));
    await send(Watt.connect(validator).approve(at.Vault, BOND));
    await send(Vault.connect(validator).deposit(at.Watt, validator.address, BOND));
    await send(Vault.connect(validator).authorize(at.Stakes, true));
    // Votes of one second share a checkpoint; how fast this runs must not matter.
    await goTo((await now()) + 1);
    await record('Stakes.stake', Stakes.connect(validator).stake(VALIDATOR, BOND));
  }
  await record('Attestations.setOperator', Attestations.connect(validators[0]).setOperator(validators[1].address));

  /** A day: all commit, it passes, all reveal, its committee sits. Gives who sits. */
  const secretOf = (epoch, { address }) => keccak256(`0x${epoch.toString(16).padStart(64, '0')}${address.slice(2)}`);
  const seatCommittee = async () => {
    const epoch = Math.floor((await now()) / DAY) + 1;
    for (const validator of validators) {
      const commitment = commitmentOf(epoch, validator.address, secretOf(epoch, validator));
      await record('Attestations.commit', Attestations.connect(validator).commit(validator.address, commitment));
    }
    await goTo((epoch + 1) * DAY);
    for (const validator of validators) {
      const { address } = validator;
      await record(
        'Attestations.reveal',
        Attestations.connect(validator).reveal(epoch, address, secretOf(epoch, validator)),
      );
    }
    await goTo((epoch + 1) * DAY + 6 * HOUR);
    const [members] = await Attestations.committeeOf(epoch);
    return { epoch, members };
  };
  const signatures = (members, payload) =>
    members.slice(0, 5).map((member, seat) => {
      const { signingKey } = validators.find(({ address }) => address === member);
      return { seat, signature: signingKey.sign(digestOf(payload)).serialized };
    });
  const attest = async (epoch, members, leaf) => {
    // A tree of 1,024 verdicts: the other side of every node may be anything.
    const proof = Array.from({ length: 10 }, (_, level) => id(`level ${level}`));
    const finding = { root: proof.reduce(nodeOf, leaf), evidence: id('evidence') };
    const signed = signatures(members, attestationPayload(place, epoch, finding));
    await record('Attestations.attest', Attestations.connect(treasury).attest(epoch, finding, signed));
    return proof;
  };

  const first = await seatCommittee();
  const suspending = await attest(first.epoch, first.members, leafOf(offerId, STANDING.SUSPENDED));
  await record('Attestations.suspend', Attestations.suspend(offerId, first.epoch, suspending));
  const terms = await openWitnessed(at.Attestations);
  await goTo((await now()) + HOUR);
  const voucher = signatures(first.members, witnessedVoucherPayload(place, leaseIdOf(terms), 600));
  await record('Attestations.witness', Attestations.witness(terms, 600, voucher));
  const second = await seatCommittee();
  const relisting = await attest(second.epoch, second.members, leafOf(offerId, STANDING.CLEAR));
  await record('Attestations.relist', Attestations.relist(offerId, second.epoch, relisting));
  const third = await seatCommittee();
  const delisting = await attest(third.epoch, third.members, leafOf(offerId, STANDING.DELISTED));
  await record('Attestations.delist', Attestations.delist(offerId, third.epoch, delisting));

  const both = ['one', 'other'].map((text) => {
    const finding = { root: id(text), evidence: id(text) };
    const payload = attestationPayload(place, third.epoch, finding);
    return [finding, validators[8].signingKey.sign(digestOf(payload)).serialized];
  });
  await record(
    'Attestations.proveEquivocation',
    Attestations.proveEquivocation(third.epoch, validators[8].address, ...both[0], ...both[1]),
  );
  await record('Stakes.unbond', Stakes.connect(validators[0]).unbond(VALIDATOR, BOND));

  const left = validators.slice(1, 8);
  let entered = 0;
  return {
    async enter() {
      entered = Math.floor((await now()) / DAY) + 1;
      for (const validator of left) {
        const commitment = commitmentOf(entered, validator.address, secretOf(entered, validator));
        await send(Attestations.connect(validator).commit(validator.address, commitment));
      }
      await goTo(entered * DAY);
    },
    async show() {
      await goTo((entered + 1) * DAY);
      for (const validator of left) {
        await send(Attestations.reveal(entered, validator.address, secretOf(entered, validator)));
      }
      await goTo((entered + 1) * DAY + 6 * HOUR);
    },
  };
}
