/**
 * specHash: what deposit attestations are bound to, because the gateway cannot know genesisHash (RULES 27, 49).
 *
 * keccak of the RFC 8785 JSON of the specification's inputs together with the hashes of the predeploys' runtime
 * code. Everything that shapes block 0 is in it, so equal hashes mean equal genesis blocks.
 */
import { keccak256Hex } from '#consensus/crypto/keccak.ts';
import type { Hash } from '#consensus/primitives.ts';
import { toCanonicalJson } from '#genesis/canonicalJson.ts';
import type { PredeployCode } from '#genesis/predeployCode.ts';
import type { ChainSpec } from '#genesis/spec.ts';
import { specToJson } from '#genesis/specFile.ts';

const utf8 = new TextEncoder();

export const specToHash = (spec: ChainSpec, predeploys: readonly PredeployCode[]): Hash =>
  keccak256Hex(
    utf8.encode(
      toCanonicalJson({
        ...specToJson(spec),
        predeployCodeHashes: Object.fromEntries(
          predeploys.map(({ address, code }) => [address, keccak256Hex(code)]),
        ),
      }),
    ),
  );
