/**
 * The rules that every specification keeps, whoever wrote it (RULES 26, 45, 48, 50).
 *
 * Owns the judgement of a parsed specification. Does not own its text form (specFile.ts). Reject here, or the
 * chain carries the mistake for good: a specification is immutable once block 0 is agreed on.
 */
import { peerIdFromString } from '@libp2p/peer-id';
import { l1AddressesOf } from '#bridge/addresses.ts';
import { MAX_RELAYERS } from '#bridge/encoding/relayerSet.ts';
import { leastImportGas } from '#bridge/relayer/importBatch.ts';
import { type Address, compareHex } from '#consensus/primitives.ts';
import { MAX_MEAN_POWER } from '#consensus/validatorSet.ts';
import { GenesisError } from '#genesis/errors.ts';
import { MAX_GOVERNORS } from '#genesis/governanceSlots.ts';
import { PREDEPLOYS } from '#genesis/predeploys.ts';
import type { ChainSpec } from '#genesis/spec.ts';
import { MAX_VALIDATORS } from '#genesis/validatorSetSlots.ts';

/** 3f + 1 with f = 1: with fewer, one faulty validator halts or forks the chain. */
export const MIN_VALIDATORS = 4;
export const MIN_RELAYER_THRESHOLD = 2;
/** EIP-7825: no transaction, and so no import, uses more. */
export const MAX_TRANSACTION_GAS = 1n << 24n;
const MIN_BLOCK_GAS = 1_000_000n;
const MAX_BLOCK_GAS = 1_000_000_000n;
/** Wallets keep chain ids in JavaScript numbers. */
const MAX_CHAIN_ID = BigInt(Number.MAX_SAFE_INTEGER);
const MAX_UINT64 = (1n << 64n) - 1n;
const MAX_UINT128 = (1n << 128n) - 1n;
const PRECOMPILE_RANGE = 1n << 16n;

export type SpecRuleOptions = {
  /** Only for experiments: a chain of one to three validators tolerates no fault. */
  readonly allowFewValidators?: boolean;
};

const requireAscending = (what: string, addresses: readonly Address[]): void => {
  addresses.forEach((address, index) => {
    const previous = addresses[index - 1];
    if (previous !== undefined && compareHex(previous, address) >= 0)
      throw new GenesisError(
        'NOT_ASCENDING',
        `expected ${what} strictly ascending by address, found ${address} after ${previous}: sort them and remove duplicates`,
      );
  });
};

const checkValidators = (
  { validators }: ChainSpec,
  { allowFewValidators = false }: SpecRuleOptions,
): void => {
  const least = allowFewValidators ? 1 : MIN_VALIDATORS;
  if (validators.length < least || validators.length > MAX_VALIDATORS)
    throw new GenesisError(
      'TOO_FEW_VALIDATORS',
      `expected ${least} to ${MAX_VALIDATORS} validators, found ${validators.length}: fewer than ${MIN_VALIDATORS} tolerate no fault and must be allowed explicitly`,
    );
  requireAscending(
    'validators',
    validators.map(({ address }) => address),
  );
  let total = 0n;
  for (const { name, power } of validators) {
    if (power <= 0n || power > MAX_UINT64)
      throw new GenesisError('BAD_POWER', `expected a power above 0, found ${power} for validator ${name}`);
    total += power;
  }
  if (total > MAX_MEAN_POWER * BigInt(validators.length))
    throw new GenesisError(
      'BAD_POWER',
      `expected a total power of at most ${MAX_MEAN_POWER} × ${validators.length} validators, found ${total}: scale the powers down`,
    );
};

/** m ≥ 2, or one stolen key moves value; 2m > n, or two conflicting roots can each collect m honest signatures. */
const checkRelayers = ({ relayers, relayerThreshold }: ChainSpec): void => {
  if (relayers.length > MAX_RELAYERS)
    throw new GenesisError(
      'BAD_THRESHOLD',
      `expected at most ${MAX_RELAYERS} relayers, found ${relayers.length}`,
    );
  requireAscending(
    'relayers',
    relayers.map(({ address }) => address),
  );
  if (
    relayerThreshold < MIN_RELAYER_THRESHOLD ||
    relayerThreshold > relayers.length ||
    2 * relayerThreshold <= relayers.length
  )
    throw new GenesisError(
      'BAD_THRESHOLD',
      `expected a relayer threshold m with m ≥ ${MIN_RELAYER_THRESHOLD} and 2m > n and m ≤ n, found m = ${relayerThreshold}, n = ${relayers.length}: change the threshold or the set`,
    );
};

const checkGovernors = ({ governors }: ChainSpec): void => {
  if (governors.length < 1 || governors.length > MAX_GOVERNORS)
    throw new GenesisError(
      'BAD_GOVERNORS',
      `expected 1 to ${MAX_GOVERNORS} governors, found ${governors.length}: without one, no validator could ever be added or removed`,
    );
  requireAscending(
    'governors',
    governors.map(({ address }) => address),
  );
};

/** One key, one role: whoever steals it must not hold two locks. */
const checkKeysDisjoint = (spec: ChainSpec): void => {
  const owners = new Map<string, string>();
  const claim = (key: string, owner: string): void => {
    const other = owners.get(key);
    if (other !== undefined)
      throw new GenesisError(
        'SHARED_KEY',
        `expected a key of its own for every role, found ${key} for both ${other} and ${owner}: create another key`,
      );
    owners.set(key, owner);
  };
  claim(spec.deployer, 'the deployer');
  for (const { name, address } of spec.validators) claim(address, `validator ${name}`);
  for (const { name, address } of spec.relayers) claim(address, `relayer ${name}`);
  for (const { name, address } of spec.governors) claim(address, `governor ${name}`);
  for (const { name, peerId } of [...spec.validators, ...spec.relayers]) claim(peerId, `the node of ${name}`);
  const names = new Set<string>();
  for (const { name } of [...spec.validators, ...spec.relayers, ...spec.governors]) {
    if (names.has(name))
      throw new GenesisError('SHARED_KEY', `expected distinct names, found "${name}" twice: rename one`);
    names.add(name);
  }
};

const isEd25519PeerId = (text: string): boolean => {
  try {
    const peerId = peerIdFromString(text);
    return peerId.type === 'Ed25519' && peerId.toString() === text;
  } catch {
    return false;
  }
};

const checkPeerIds = (spec: ChainSpec): void => {
  for (const { name, peerId } of [...spec.validators, ...spec.relayers])
    if (!isEd25519PeerId(peerId))
      throw new GenesisError(
        'BAD_PEER_ID',
        `expected the PeerId of an ed25519 key (12D3KooW…) for ${name}, found "${peerId}": take it from \`causeway key inspect\``,
      );
};

const checkChainIds = ({ chainId, l1ChainId }: ChainSpec): void => {
  for (const id of [chainId, l1ChainId])
    if (id <= 0n || id > MAX_CHAIN_ID)
      throw new GenesisError('BAD_CHAIN_ID', `expected a chain id of 1 to ${MAX_CHAIN_ID}, found ${id}`);
  if (chainId === l1ChainId)
    throw new GenesisError(
      'BAD_CHAIN_ID',
      `expected the sidechain's chain id to differ from the L1's, found ${chainId} for both: choose another`,
    );
};

const requireWithin = (what: string, value: bigint, least: bigint, most: bigint): void => {
  if (value < least || value > most)
    throw new GenesisError('BAD_LIMIT', `expected ${what} of ${least} to ${most}, found ${value}`);
};

/** Balances are backed by the vault from block 0 on; nobody's money may be where nobody can move it. */
const checkBalances = (spec: ChainSpec): void => {
  const { balances } = spec;
  requireAscending(
    'balances',
    balances.map(({ address }) => address),
  );
  const taken = new Set<Address>([
    ...Object.values(PREDEPLOYS),
    ...Object.values(l1AddressesOf(spec.deployer)),
  ]);
  let sum = 0n;
  for (const { address, amountWei } of balances) {
    if (taken.has(address) || BigInt(address) < PRECOMPILE_RANGE)
      throw new GenesisError(
        'BAD_BALANCE',
        `expected balances of ordinary accounts only, found ${address}: it belongs to the system`,
      );
    if (amountWei <= 0n)
      throw new GenesisError('BAD_BALANCE', `expected a balance above 0 for ${address}, found ${amountWei}`);
    sum += amountWei;
  }
  if (sum > MAX_UINT128)
    throw new GenesisError('BAD_BALANCE', `expected balances below 2^128 wei together, found ${sum}`);
};

/** @throws GenesisError with the first rule that is broken */
export const checkSpec = (spec: ChainSpec, options: SpecRuleOptions = {}): void => {
  checkChainIds(spec);
  requireWithin('a timestamp (seconds)', spec.timestamp, 1n, BigInt(Number.MAX_SAFE_INTEGER) / 1000n);
  requireWithin('an epochLength', spec.epochLength, 1n, 1_000_000_000n);
  requireWithin('a blockGasLimit', spec.blockGasLimit, MIN_BLOCK_GAS, MAX_BLOCK_GAS);
  requireWithin('an importGas', spec.importGas, leastImportGas(spec.relayers.length), MAX_TRANSACTION_GAS);
  requireWithin('a base fee (wei)', spec.feePolicy.baseFeeWei, 0n, MAX_UINT64);
  checkValidators(spec, options);
  checkRelayers(spec);
  checkGovernors(spec);
  checkPeerIds(spec);
  checkKeysDisjoint(spec);
  checkBalances(spec);
};
