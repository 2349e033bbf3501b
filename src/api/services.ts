import type { ContractProcedure, InferSchemaOutput } from '@orpc/contract';
import type { ApiContract, ApiOutputs } from './contract.ts';

/** What a caller brings beside its input. */
export interface CallContext {
  /** Aborted when the caller goes away or cancels. */
  signal: AbortSignal;
}

/**
 * The product behind the interface: one function per procedure. Streams are async iterables; thrown AppErrors travel
 * to every door with their code. Transports, tests and the host's wiring all speak this type.
 */
export type ApiServices = {
  [Noun in keyof ApiContract]: {
    [Verb in keyof ApiContract[Noun] & keyof ApiOutputs[Noun]]: (
      input: Parsed<ApiContract[Noun][Verb]>,
      context: CallContext,
    ) => Service<ApiOutputs[Noun][Verb]>;
  };
};

/** A service gets its input checked: defaults filled in, addresses and ids in lower case. */
type Parsed<Procedure> =
  Procedure extends ContractProcedure<infer Input, infer _Output, infer _Errors, infer _Meta>
    ? InferSchemaOutput<Input>
    : never;

type Service<Output> =
  Output extends AsyncIterable<infer Item>
    ? AsyncIterable<Item> | Promise<AsyncIterable<Item>>
    : Promise<Output> | Output;
