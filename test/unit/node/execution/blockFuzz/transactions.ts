/** Random signed transactions of every type that the chain takes, most of which are included. */
import { createTx, type TypedTxData } from '@ethereumjs/tx';
import { createAddressFromPrivateKey, eoaCode7702SignAuthorization } from '@ethereumjs/util';
import { keccak256 } from '#consensus/crypto/keccak.ts';
import { bytesToHex, type Hex, hexToBytes } from '#consensus/primitives.ts';
import type { ChainCommon } from '#node/execution/chainCommon.ts';
import { between } from '#test/sim/streams.ts';
import { initCode, pick, type Random } from '#test/unit/node/execution/blockFuzz/programs.ts';

export type Party = { readonly key: Uint8Array; readonly address: Uint8Array };

export const partyOf = (name: string): Party => {
  const key = keccak256(new TextEncoder().encode(name));
  return { key, address: createAddressFromPrivateKey(key).bytes };
};

export type World = {
  readonly common: ChainCommon;
  readonly parties: readonly Party[];
  /** Contracts; grows as they are created. */
  readonly contracts: Uint8Array[];
  /** Whatever else has an address. */
  readonly others: readonly Uint8Array[];
  readonly nonces: Map<Party, bigint>;
};

const BASE_FEE = 1_000_000_000n;

export const randomTransaction = (random: Random, world: World): Uint8Array => {
  const { common, parties, contracts, others, nonces } = world;
  const targets = [...others, ...contracts];
  const from = pick(random, parties);
  const expected = nonces.get(from) ?? 0n;
  const isWrong = random() < 0.04;
  const nonce = isWrong ? expected + BigInt(pick(random, [1, -1])) : expected;
  if (nonce < 0n) return randomTransaction(random, world);
  if (!isWrong) nonces.set(from, expected + 1n);
  const type = pick(random, [0, 1, 2, 2, 2, 2, 4]);
  const isPlain = random() < 0.35;
  const creates = !isPlain && type !== 4 && random() < 0.3;
  const data = creates
    ? initCode(random, targets)
    : Uint8Array.from({ length: isPlain ? 0 : between(random, 0, 80) }, () =>
        random() < 0.4 ? 0 : between(random, 1, 255),
      );
  const tip = BigInt(pick(random, [0, 1, 1_000_000, 2_000_000_000]));
  const cap = BASE_FEE + tip + BigInt(pick(random, [0, 0, 5_000, -1]));
  const fees =
    type === 0 || type === 1
      ? { gasPrice: cap }
      : { maxFeePerGas: cap, maxPriorityFeePerGas: tip > cap ? cap : tip };
  const accessList =
    type !== 0 && random() < 0.3
      ? [
          [
            pick(random, targets),
            Array.from({ length: between(random, 0, 3) }, (_, slot) => new Uint8Array(32).fill(slot, 31)),
          ],
        ]
      : [];
  const fields = {
    type,
    nonce,
    gasLimit: BigInt(
      isPlain ? pick(random, [21_000, 21_000, 50_000, 100_000]) : between(random, 21_000, 600_000),
    ),
    value: pick(random, [0n, 0n, 1n, BigInt(between(random, 1, 1e9)), random() < 0.02 ? 1n << 100n : 7n]),
    data,
    ...(creates
      ? {}
      : { to: bytesToHex(pick(random, isPlain ? others : random() < 0.8 ? contracts : targets)) }),
    ...fees,
    ...(type === 0 ? {} : { chainId: common.chainId(), accessList }),
    ...(type === 4 ? { authorizationList: authorisations(random, world) } : {}),
  };
  const options = { common, allowUnlimitedInitCodeSize: true };
  return createTx(fields as unknown as TypedTxData, options)
    .sign(from.key)
    .serialize();
};

/** Some valid, some of another chain or nonce; some take a delegation back. */
const authorisations = (random: Random, { common, parties, contracts, others, nonces }: World) =>
  Array.from({ length: between(random, 1, 3) }, () => {
    const authority = pick(random, parties);
    const nonce = nonces.get(authority) ?? 0n;
    const isRight = random() < 0.7;
    const chainId = isRight ? pick(random, [0n, common.chainId()]) : 77n;
    if (isRight) nonces.set(authority, nonce + 1n);
    const address = random() < 0.3 ? new Uint8Array(20) : pick(random, random() < 0.7 ? contracts : others);
    return eoaCode7702SignAuthorization(
      { chainId: hexOf(chainId), address: bytesToHex(address), nonce: hexOf(nonce) },
      authority.key,
    );
  });

const hexOf = (value: bigint): Hex => `0x${value.toString(16)}`;

export const precompile = (number: number): Uint8Array =>
  hexToBytes(`0x${number.toString(16).padStart(40, '0')}`);
