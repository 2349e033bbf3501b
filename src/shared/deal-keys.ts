import type { Address, Bytes32, Hex } from './ids.ts';

/** Signatures over one lease's seconds, made with this host's own key (the main wallet may stay locked). */
export interface DealKeys {
  /** The host key's address: `Terms.signer` for renters, `Terms.providerSigner` for providers. */
  readonly address: Address;
  signVoucher(leaseId: Bytes32, secs: number): Promise<Hex>;
  signFinal(leaseId: Bytes32, secs: number, deadline: number): Promise<Hex>;
  /** Who signed this voucher; null when the signature is nonsense. */
  voucherSigner(leaseId: Bytes32, secs: number, signature: Hex): Address | null;
  finalSigner(leaseId: Bytes32, secs: number, deadline: number, signature: Hex): Address | null;
  /** keccak256 of the spec's canonical JSON, as it stands in the terms. */
  specHash(spec: unknown): Bytes32;
}
