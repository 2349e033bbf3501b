import { AbiCoder, Interface } from 'ethers';
import { JOBS_ABI } from './abi/Jobs.ts';
import { JURIES_ABI } from './abi/Juries.ts';
import { OFFERS_ABI } from './abi/Offers.ts';
import { PARAMETERS_ABI } from './abi/Parameters.ts';
import { RECORD_ABI } from './abi/Record.ts';
import { RENTALS_ABI } from './abi/Rentals.ts';
import { STAKE_GOVERNOR_ABI } from './abi/StakeGovernor.ts';
import { STAKES_ABI } from './abi/Stakes.ts';
import { TIMELOCK_CONTROLLER_ABI } from './abi/TimelockController.ts';
import { VAULT_ABI } from './abi/Vault.ts';

// Parsed once: parsing an ABI costs milliseconds.
export const vaultInterface = new Interface(VAULT_ABI);
export const offersInterface = new Interface(OFFERS_ABI);
export const rentalsInterface = new Interface(RENTALS_ABI);
export const jobsInterface = new Interface(JOBS_ABI);
export const juriesInterface = new Interface(JURIES_ABI);
export const recordInterface = new Interface(RECORD_ABI);
export const parametersInterface = new Interface(PARAMETERS_ABI);
export const stakesInterface = new Interface(STAKES_ABI);
export const governorInterface = new Interface(STAKE_GOVERNOR_ABI);
export const timelockInterface = new Interface(TIMELOCK_CONTROLLER_ABI);
export const erc20Interface = new Interface([
  'function approve(address spender, uint256 amount) returns (bool)',
  'function transfer(address to, uint256 amount) returns (bool)',
  'function balanceOf(address account) view returns (uint256)',
  'error ERC20InsufficientBalance(address sender, uint256 balance, uint256 needed)',
  'error ERC20InsufficientAllowance(address spender, uint256 allowance, uint256 needed)',
  'error ERC20InvalidReceiver(address receiver)',
]);

export const abiCoder = AbiCoder.defaultAbiCoder();
