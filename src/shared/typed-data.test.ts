import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import written from '../../contracts/test/vectors/typed-data.json' with { type: 'json' };
import type { Address, Bytes32, Hex } from './ids.ts';
import type { JobTerms } from './job-terms.ts';
import type { RentalTerms } from './rental.ts';
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
  signerOf,
  specHash,
  voucherPayload,
  witnessedVoucherPayload,
} from './typed-data.ts';

const hex = z.string().transform((text) => text as Hex);
const signed = { digest: hex, signatures: z.array(hex) };
const vectors = z
  .object({
    chainId: z.number(),
    rentals: hex,
    offer: z.object({ provider: hex, salt: hex, id: hex }),
    spec: z.object({ value: z.unknown(), hash: hex }),
    terms: z.record(z.string(), z.union([z.string(), z.number()])),
    leaseId: hex,
    vouchers: z.array(z.object({ secs: z.number(), ...signed })),
    finals: z.array(z.object({ secs: z.number(), deadline: z.number(), ...signed })),
    attestations: hex,
    findings: z.array(z.object({ epoch: z.number(), root: hex, evidence: hex, ...signed })),
    witnessed: z.array(z.object({ secs: z.number(), ...signed })),
    jobs: hex,
    record: hex,
    jobTerms: z.record(z.string(), z.union([z.string(), z.number()])),
    jobId: hex,
    copyId: hex,
    result: z.object({ resultId: hex, salt: hex, commitment: hex }),
    acceptances: z.array(z.object({ jobId: hex, offerId: hex, validUntil: z.number(), ...signed })),
    ratings: z.array(
      z.object({
        side: z.enum(['provider', 'renter']),
        score: z.number(),
        feedback: z.string(),
        salt: hex,
        commitment: hex,
        ...signed,
      }),
    ),
    peerBindings: z.array(
      z.object({ peerKey: hex, role: z.enum(['provider', 'renter']), notAfter: z.number(), ...signed }),
    ),
  })
  .parse(written);
const place = { chainId: vectors.chainId, rentals: vectors.rentals };
const terms = { ...vectors.terms, price: BigInt(vectors.terms['price'] ?? 0) } as unknown as RentalTerms;
const amount = (field: string) => BigInt(vectors.jobTerms[field] ?? 0);
const jobTerms = {
  ...vectors.jobTerms,
  bounty: amount('bounty'),
  bond: amount('bond'),
  minStake: amount('minStake'),
} as unknown as JobTerms;

describe('the same examples that the contracts are held to', () => {
  test('ids and hashes', () => {
    expect(leaseIdOf(terms)).toBe(vectors.leaseId);
    expect(offerIdOf(vectors.offer.provider, vectors.offer.salt)).toBe(vectors.offer.id);
    expect(specHash(vectors.spec.value)).toBe(vectors.spec.hash);
  });

  test('vouchers', () => {
    for (const { secs, digest, signatures } of vectors.vouchers) {
      const payload = voucherPayload(place, vectors.leaseId, secs);
      expect(digestOf(payload)).toBe(digest);
      expect(signatures.map((signature) => signerOf(payload, signature))).toEqual([terms.signer]);
    }
  });

  test('finals', () => {
    for (const { secs, deadline, digest, signatures } of vectors.finals) {
      const payload = finalPayload(place, vectors.leaseId, secs, deadline);
      expect(digestOf(payload)).toBe(digest);
      expect(signatures.map((signature) => signerOf(payload, signature))).toEqual([terms.signer, terms.providerSigner]);
    }
  });

  test('findings of a committee, and the vouchers it witnesses', () => {
    const committee = { chainId: vectors.chainId, attestations: vectors.attestations };
    for (const { epoch, root, evidence, digest, signatures } of vectors.findings) {
      const payload = attestationPayload(committee, epoch, { root, evidence });
      expect(digestOf(payload)).toBe(digest);
      expect(signatures.map((signature) => signerOf(payload, signature))).toEqual([terms.providerSigner]);
    }
    for (const { secs, digest, signatures } of vectors.witnessed) {
      const payload = witnessedVoucherPayload(committee, vectors.leaseId, secs);
      expect(digestOf(payload)).toBe(digest);
      expect(signatures.map((signature) => signerOf(payload, signature))).toEqual([terms.providerSigner]);
    }
  });

  test('jobs, their copies and acceptances', () => {
    expect(jobIdOf(jobTerms)).toBe(vectors.jobId);
    expect(copyIdOf(vectors.jobId, terms.provider)).toBe(vectors.copyId);
    const { resultId, salt, commitment } = vectors.result;
    expect(resultCommitment(vectors.jobId, terms.provider, resultId, salt)).toBe(commitment);
    for (const { digest, signatures, ...acceptance } of vectors.acceptances) {
      const payload = acceptancePayload({ chainId: vectors.chainId, jobs: vectors.jobs }, acceptance);
      expect(digestOf(payload)).toBe(digest);
      expect(signatures.map((signature) => signerOf(payload, signature))).toEqual([terms.providerSigner]);
    }
  });

  test('ratings', () => {
    const at = { chainId: vectors.chainId, record: vectors.record };
    for (const { digest, signatures, commitment, ...rating } of vectors.ratings) {
      expect(ratingCommitment(vectors.leaseId, rating)).toBe(commitment);
      const payload = ratingCommitPayload(at, vectors.leaseId, commitment);
      expect(digestOf(payload)).toBe(digest);
      expect(signatures.map((signature) => signerOf(payload, signature))).toEqual([terms.providerSigner]);
    }
  });

  test('peer bindings', () => {
    for (const { peerKey, role, notAfter, digest, signatures } of vectors.peerBindings) {
      const payload = peerBindingPayload(vectors.chainId, { peerKey, role, notAfter });
      expect(digestOf(payload)).toBe(digest);
      expect(signatures.map((signature) => signerOf(payload, signature))).toEqual([terms.providerSigner]);
    }
  });
});

describe('what the contracts would refuse is nobody’s signature', () => {
  const payload = voucherPayload(place, vectors.leaseId, 60);
  const good = vectors.vouchers[1]?.signatures[0] ?? '0x';
  const r = good.slice(2, 66);
  const s = good.slice(66, 130);
  const v = good.slice(130);

  test('another recovery byte, another length, the other s', () => {
    const otherS = (0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n - BigInt(`0x${s}`)).toString(
      16,
    );
    const refused: Hex[] = [
      `0x${r}${s}${v === '1b' ? '00' : '01'}`,
      `0x${r}${s}`,
      `0x${r}${s}${v}00`,
      `0x${r}${otherS.padStart(64, '0')}${v === '1b' ? '1c' : '1b'}`,
      '0x',
    ];
    expect(refused.map((signature) => signerOf(payload, signature))).toEqual(refused.map(() => null));
  });

  test('another lease, other seconds, another contract, another chain', () => {
    const others = [
      voucherPayload(place, specHash('another lease'), 60),
      voucherPayload(place, vectors.leaseId, 61),
      voucherPayload({ ...place, rentals: vectors.offer.provider }, vectors.leaseId, 60),
      voucherPayload({ ...place, chainId: 1 }, vectors.leaseId, 60),
    ];
    for (const other of others) expect(signerOf(other, good)).not.toBe(terms.signer);
  });

  test('random bytes never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 60, maxLength: 70 }), (bytes) => {
        const signature: Hex = `0x${Buffer.from(bytes).toString('hex')}`;
        expect(signerOf(payload, signature)).not.toBe(terms.signer);
      }),
    );
  });
});

test('ids differ by every field', () => {
  const zero: Bytes32 = `0x${'0'.repeat(64)}`;
  const other: Address = `0x${'1'.repeat(40)}`;
  const changes: Partial<RentalTerms>[] = [
    { offerId: zero },
    { offerVersion: 2 },
    { renter: other },
    { provider: other },
    { signer: other },
    { providerSigner: other },
    { witness: other },
    { token: other },
    { price: 1n },
    { unit: 60 },
    { minSeconds: 61 },
    { endsBy: 1 },
    { feeBps: 0 },
    { specHash: zero },
    { salt: zero },
  ];
  const ids = changes.map((change) => leaseIdOf({ ...terms, ...change }));
  expect(new Set([...ids, vectors.leaseId]).size).toBe(changes.length + 1);
});
