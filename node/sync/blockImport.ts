/**
 * One fetched block on its way into the chain, and what its failure means.
 *
 * Owns the cheap checks before `chain.importBlock` (a distrusted server, the hash that the L1 allows, the certificate
 * when the signing lease depends on it) and who is blamed afterwards. Does not own verification, which execution does
 * in full: certificate first, then transactions, then derivation.
 */
import { verifyCommitCertificate } from '#consensus/certificate.ts';
import { checkpointToValueId } from '#consensus/digests.ts';
import type { ConsensusDomain } from '#consensus/types.ts';
import { type Chain, ChainError } from '#node/chain.ts';
import type { Logger } from '#node/network/logger.ts';
import type { Ancestry } from '#node/sync/ancestry.ts';
import type { Downloader, FetchedBlock } from '#node/sync/downloader.ts';
import type { Lease } from '#node/sync/lease.ts';

export type BlockImportOptions = {
  readonly chain: Pick<Chain, 'head' | 'importBlock'>;
  readonly domain: ConsensusDomain;
  /** Signs votes: holds the lease while what is imported is certified. */
  readonly isValidator: boolean;
  readonly downloader: Pick<Downloader, 'blame' | 'isDistrusted'>;
  readonly ancestry: Pick<Ancestry, 'expectedHash'>;
  readonly lease: Lease;
  readonly logger: Logger;
};

/** `refetch`: this block is not the one, another peer has it. `later`: not now. */
export type ImportResult = 'imported' | 'refetch' | 'later' | 'closed';

/** @throws ChainError when it is fatal, and whatever is no ChainError */
export type ImportBlock = (fetched: FetchedBlock) => Promise<ImportResult>;

export const createBlockImport = (options: BlockImportOptions): ImportBlock => {
  const { chain, domain, isValidator, downloader, ancestry, lease, logger } = options;

  const refuse = ({ block, peerId }: FetchedBlock, code: string, reason: string): ImportResult => {
    logger.warn(
      { code, peerId, height: block.checkpoint.height, error: reason },
      'a peer served a bad block, asking another',
    );
    downloader.blame(peerId, 'invalid', reason);
    return 'refetch';
  };

  /** Null when nothing cheap speaks against it. */
  const check = (fetched: FetchedBlock): ImportResult | null => {
    const { checkpoint, certificate } = fetched.block;
    if (downloader.isDistrusted(fetched.peerId)) return 'refetch';
    const proven = ancestry.expectedHash(checkpoint.height);
    if (proven !== null && checkpoint.blockHash !== proven)
      return refuse(
        fetched,
        'L1_CONTRADICTION',
        `expected block ${proven}, from which the L1 accepted a descendant, found ${checkpoint.blockHash}`,
      );
    if (!isValidator || lease.reason() !== null) return null;
    const { block: head, nextValidators } = chain.head();
    if (checkpoint.height !== head.height + 1n) return null;
    const expected = { height: checkpoint.height, valueId: checkpointToValueId(checkpoint) };
    const verdict = verifyCommitCertificate(domain, nextValidators, certificate, expected);
    if (!verdict.valid) return refuse(fetched, 'BAD_CERTIFICATE', verdict.reason);
    lease.holdForImport(checkpoint.height);
    return null;
  };

  return async (fetched) => {
    const verdict = check(fetched);
    if (verdict !== null) return verdict;
    try {
      await chain.importBlock(fetched.block);
      return 'imported';
    } catch (error) {
      if (!(error instanceof ChainError) || error.fatal) throw error;
      if (error.code === 'BAD_BLOCK' || error.code === 'BAD_CERTIFICATE')
        return refuse(fetched, error.code, error.message);
      logger.debug({ code: error.code, error: error.message }, 'a synced block was not imported');
      return error.code === 'CLOSED' ? 'closed' : 'later';
    } finally {
      lease.importEnded();
    }
  };
};
