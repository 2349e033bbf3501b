/**
 * Writes contracts/test/vectors/typed-data.json: examples of everything that is signed or named by its hash. The contracts'
 * tests and src/shared/typed-data.test.ts are both held to the committed file, so run this only to add examples.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { SigningKey, computeAddress, getCreateAddress, id, zeroPadValue } from 'ethers';
import { addressesFrom } from '../../src/chain/abi/deployment.ts';
import {
  acceptancePayload,
  attestationPayload,
  copyIdOf,
  digestOf,
  finalPayload,
  jobIdOf,
  leaseIdOf,
  offerIdOf,
  peerBindingPayload,
  ratingCommitPayload,
  ratingCommitment,
  resultCommitment,
  specHash,
  voucherPayload,
  witnessedVoucherPayload,
} from '../../src/shared/typed-data.ts';
import { CONTRACTS } from './compiler.mjs';

const START = 1_800_000_000;
const at = addressesFrom('0x0000000000000000000000000000000000de9101', 0);
const place = { chainId: 31_337, rentals: at.Rentals };
const attestations = getCreateAddress({ from: '0x0000000000000000000000000000000000de9102', nonce: 0 }).toLowerCase();
const committee = { chainId: place.chainId, attestations };
const key = (hex) => new SigningKey(zeroPadValue(hex, 32));
const [session, host] = [key('0x5e5510'), key('0x4057')];
const address = (signingKey) => computeAddress(signingKey).toLowerCase();
const provider = '0x0000000000000000000000000000000000004601';

const spec = { image: 'busybox:1.36', ports: [8080], env: { GREETING: 'grüß dich', A: '1' }, internet: true };
const offerSalt = id('offer salt');
const terms = {
  offerId: offerIdOf(provider, offerSalt),
  offerVersion: 1,
  renter: '0x0000000000000000000000000000000000004e17',
  provider,
  signer: address(session),
  providerSigner: address(host),
  witness: '0x0000000000000000000000000000000000000000',
  token: '0x0000000000000000000000000000000000000000',
  price: '3500000000000000001',
  unit: 3600,
  minSeconds: 60,
  endsBy: START + 86_400,
  feeBps: 250,
  specHash: specHash(spec),
  salt: id('lease salt'),
};
const leaseId = leaseIdOf({ ...terms, price: BigInt(terms.price) });
const signed = (payload, ...keys) => ({
  digest: digestOf(payload),
  signatures: keys.map((signingKey) => signingKey.sign(digestOf(payload)).serialized),
});
const finding = { epoch: 20_834, root: id('root'), evidence: id('evidence') };
const binding = { peerKey: id('peer key'), role: 'provider', notAfter: START + 3600 };

const jobTerms = {
  renter: terms.renter,
  assignee: provider,
  arbiter: terms.witness,
  token: terms.token,
  bounty: '340282366920938463463374607431768211455',
  bond: '1000000000000000001',
  deadline: START + 86_400,
  minRun: 600,
  window: 1800,
  minStake: '100000000000000000000',
  gpuCount: 2,
  gpuMemoryGb: 24,
  tier: 2,
  copies: 3,
  agree: 2,
  feeBps: 250,
  slashBps: 1000,
  specHash: specHash(spec),
  salt: id('job salt'),
};
const jobId = jobIdOf({
  ...jobTerms,
  bounty: BigInt(jobTerms.bounty),
  bond: BigInt(jobTerms.bond),
  minStake: BigInt(jobTerms.minStake),
});
const acceptance = { jobId, offerId: terms.offerId, validUntil: START + 600 };
const result = { resultId: id('result'), salt: id('result salt') };
const rating = { side: 'provider', score: 4, feedback: 'bafkreigh2akiscaildc', salt: id('rating salt') };

const vectors = {
  chainId: place.chainId,
  rentals: place.rentals,
  offer: { provider, salt: offerSalt, id: terms.offerId },
  spec: { value: spec, hash: terms.specHash },
  terms,
  leaseId,
  vouchers: [0, 60, 3600, 0xffff_ffff].map((secs) => ({
    secs,
    ...signed(voucherPayload(place, leaseId, secs), session),
  })),
  finals: [
    { secs: 0, deadline: START },
    { secs: 1234, deadline: START + 7200 },
    { secs: 0xffff_ffff, deadline: 0xff_ffff_ffff },
  ].map(({ secs, deadline }) => ({
    secs,
    deadline,
    ...signed(finalPayload(place, leaseId, secs, deadline), session, host),
  })),
  attestations,
  findings: [{ ...finding, ...signed(attestationPayload(committee, finding.epoch, finding), host) }],
  witnessed: [{ secs: 3600, ...signed(witnessedVoucherPayload(committee, leaseId, 3600), host) }],
  jobs: at.Jobs,
  record: at.Record,
  jobTerms,
  jobId,
  copyId: copyIdOf(jobId, provider),
  result: { ...result, commitment: resultCommitment(jobId, provider, result.resultId, result.salt) },
  acceptances: [
    { ...acceptance, ...signed(acceptancePayload({ chainId: place.chainId, jobs: at.Jobs }, acceptance), host) },
  ],
  ratings: [
    {
      ...rating,
      commitment: ratingCommitment(leaseId, rating),
      ...signed(
        ratingCommitPayload({ chainId: place.chainId, record: at.Record }, leaseId, ratingCommitment(leaseId, rating)),
        host,
      ),
    },
  ],
  peerBindings: [{ ...binding, ...signed(peerBindingPayload(place.chainId, binding), host) }],
};
const file = path.join(CONTRACTS, 'test/vectors/typed-data.json');
writeFileSync(file, `${JSON.stringify(vectors, null, 2)}\n`);
