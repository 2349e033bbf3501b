import type { ApiContract, ApiInputs, ApiOutputs } from './contract.ts';

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
    [Verb in keyof ApiContract[Noun] & keyof ApiInputs[Noun] & keyof ApiOutputs[Noun]]: (
      input: ApiInputs[Noun][Verb] extends infer Input ? Input : never,
      context: CallContext,
    ) => Service<ApiOutputs[Noun][Verb]>;
  };
};

type Service<Output> =
  Output extends AsyncIterable<infer Item>
    ? AsyncIterable<Item> | Promise<AsyncIterable<Item>>
    : Promise<Output> | Output;
