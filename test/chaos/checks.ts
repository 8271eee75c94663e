/** What must hold when the trouble is over. Each check adds sentences to the findings, and throws nothing. */
import type { Address, Hash } from '#consensus/primitives.ts';
import { heightOf, rpc } from '#test/e2e/support/devnet.ts';
import { heightToTag, type RpcObject } from '#test/e2e/support/recompute.ts';
import { conflictsIn, type Signed } from '#test/e2e/support/signed.ts';

type Evidence = RpcObject & {
  /** Of one validator; of several for two certificates. */
  readonly offender?: string;
  readonly offenders?: readonly string[];
};
type Block = RpcObject & { readonly hash: string; readonly transactions: readonly string[] };

const blockAt = (url: string, height: number): Promise<Block | null> =>
  rpc<Block | null>(url, 'eth_getBlockByNumber', [heightToTag(height), false]);

/** One hash for each height on all nodes. @returns how often each transaction is in the chain */
export const checkOneChain = async (
  urls: readonly string[],
  findings: string[],
): Promise<{ readonly heights: number; readonly counts: ReadonlyMap<string, number> }> => {
  const heads = await Promise.all(urls.map(heightOf));
  const top = Math.min(...heads);
  const counts = new Map<string, number>();
  for (let height = 0; height <= top; height++) {
    const blocks = await Promise.all(urls.map((url) => blockAt(url, height)));
    const hashes = new Set(blocks.map((block) => block?.hash ?? 'none'));
    if (hashes.size !== 1)
      findings.push(`height ${height} has ${hashes.size} hashes: ${[...hashes].join(', ')}`);
    for (const hash of blocks[0]?.transactions ?? []) counts.set(hash, (counts.get(hash) ?? 0) + 1);
  }
  return { heights: top, counts };
};

export const checkTransfers = (
  sent: readonly { readonly hash: Hash }[],
  counts: ReadonlyMap<string, number>,
  findings: string[],
): void => {
  for (const { hash } of sent) {
    const count = counts.get(hash) ?? 0;
    if (count !== 1) findings.push(`transfer ${hash} is in the chain ${count} times`);
  }
};

/** @param byzantine whoever was played by a Byzantine process may have signed anything */
export const checkSigned = (signed: Signed, byzantine: Address | null, findings: string[]): void => {
  for (const key of conflictsIn(signed))
    if (byzantine === null || !key.startsWith(byzantine))
      findings.push(`two signatures for one step: ${key}`);
};

/** The nodes' own evidence: what any of them heard on the wire. @returns how many items there are */
export const checkEvidence = async (
  urls: readonly string[],
  byzantine: Address | null,
  findings: string[],
): Promise<number> => {
  const known = new Set<string>();
  for (const url of urls) {
    for (const item of await rpc<readonly Evidence[]>(url, 'causeway_evidence')) {
      const offenders = item.offenders ?? [item.offender];
      known.add(JSON.stringify([offenders, item.height, item.round, item.kind]));
      if (offenders.some((offender) => offender !== byzantine))
        findings.push(`evidence against an honest validator: ${JSON.stringify(item)}`);
    }
  }
  return known.size;
};
