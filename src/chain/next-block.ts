/**
 * A practice network's own JSON-RPC method beside the usual ones: (block) answers with the head's number as soon as it
 * is higher than that, or after a second with what it is. Followers hear of a block at once, without asking twenty
 * times a second.
 */
export const NEXT_BLOCK_METHOD = 'commonwatt_nextBlock';
