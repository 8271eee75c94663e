/**
 * Which finalised block the configured endpoints agree on, and whether it contradicts what was final before.
 *
 * Pure decisions over what was read, beside the reads themselves. Every configured endpoint must answer and agree:
 * one that is silent, behind or different stops the advance, never the trust (RULES 31: production reads at least
 * two independent endpoints by finalised block hash).
 */
import { endpointName, type L1Block, type L1Endpoint } from '#bridge/l1/endpoint.ts';
import type { Hash } from '#consensus/primitives.ts';

export type Agreement =
  | { readonly kind: 'agreed'; readonly block: L1Block }
  /** Nothing new: the slowest endpoint is at or below what we hold. */
  | { readonly kind: 'behind'; readonly block: L1Block }
  /** Endpoints contradict each other. */
  | { readonly kind: 'disagreement'; readonly reason: string }
  /** All of them contradict a block that all of them had called final. */
  | { readonly kind: 'reorganised'; readonly reason: string };

type Known = { readonly number: bigint; readonly hash: Hash };

/** @throws whatever an endpoint throws: no answer is no agreement */
export const agreeOnFinalized = async (
  endpoints: readonly L1Endpoint[],
  known: Known | null,
): Promise<Agreement> => {
  const newest = await Promise.all(endpoints.map((endpoint) => endpoint.finalized()));
  const lowest = newest.reduce((low, block) => (block.number < low.number ? block : low));

  const atLowest = await Promise.all(
    endpoints.map((endpoint, index) =>
      newest[index]!.number === lowest.number ? newest[index]! : endpoint.blockAt(lowest.number),
    ),
  );
  const different = atLowest.findIndex(({ hash }) => hash !== lowest.hash);
  if (different !== -1)
    return {
      kind: 'disagreement',
      reason: disagreement(
        endpoints,
        atLowest.map(({ hash }) => hash),
        lowest.number,
      ),
    };

  if (known === null) return { kind: 'agreed', block: lowest };
  if (lowest.number < known.number) return { kind: 'behind', block: lowest };

  const hashes =
    lowest.number === known.number
      ? atLowest.map(({ hash }) => hash)
      : (await Promise.all(endpoints.map((endpoint) => endpoint.blockAt(known.number)))).map(
          ({ hash }) => hash,
        );
  if (hashes.every((hash) => hash === known.hash))
    return { kind: lowest.number === known.number ? 'behind' : 'agreed', block: lowest };
  if (hashes.some((hash) => hash !== hashes[0]))
    return { kind: 'disagreement', reason: disagreement(endpoints, hashes, known.number) };
  return {
    kind: 'reorganised',
    reason: `the L1 was reorganised past finality: block ${known.number} was final as ${known.hash} and is now ${hashes[0]}`,
  };
};

const disagreement = (endpoints: readonly L1Endpoint[], hashes: readonly Hash[], number: bigint): string =>
  `L1 endpoints disagree on finalised block ${number}: ${endpoints
    .map(({ url }, index) => `${endpointName(url)} says ${hashes[index]}`)
    .join(', ')}`;
