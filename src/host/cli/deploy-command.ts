import type { Command, CommandContext } from './command.ts';

const options = {
  network: { type: 'string', value: 'NAME', about: 'name of the network’s profile' },
  rpc: { type: 'string', value: 'URL', about: 'its RPC endpoint; not needed where the profile is there' },
  'private-key-file': { type: 'string', value: 'FILE', about: 'key of the account that pays, - for stdin' },
  treasury: { type: 'string', value: 'ADDRESS', about: 'gets the fees and all WATT; default: the account that pays' },
  guardian: { type: 'string', value: 'ADDRESS', about: 'may pause new deals; default: the account that pays' },
  confirmations: { type: 'string', value: 'N', about: 'blocks to wait for in the new profile; default 3' },
  'dry-run': { type: 'boolean', about: 'say what it would cost, contract by contract, and send nothing' },
} as const;

export const deployWith = (run: (context: CommandContext) => Promise<void>): Command => ({
  name: 'deploy',
  about: 'put all contracts on a network and write its profile; run again, it goes on where it was',
  options,
  run,
});
