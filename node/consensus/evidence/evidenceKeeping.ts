/**
 * Evidence in the course of a node's life: opened before the first height, fed by the engine, by peers and by what is
 * committed, and asked for by the RPC.
 *
 * Owns which event concerns which part. Nothing here is awaited by the consensus loop, and nothing here throws into it:
 * a full or broken disk, a flood or a bug costs evidence and a line in the log, never a vote.
 */
import type { Misbehaviour } from '#consensus/evidence.ts';
import type { HeightState } from '#consensus/heightState.ts';
import type { CommitCertificate, ConsensusDomain } from '#consensus/types.ts';
import type { Head } from '#node/chain.ts';
import { conflictsIn, conflictWithChain } from '#node/consensus/evidence/conflictWatch.ts';
import { EvidenceGossip } from '#node/consensus/evidence/evidenceGossip.ts';
import {
  DEFAULT_EVIDENCE_OPTIONS,
  EvidencePool,
  type EvidencePoolOptions,
  type KeptEvidence,
} from '#node/consensus/evidence/evidencePool.ts';
import { EvidenceStore } from '#node/consensus/evidence/evidenceStore.ts';
import type { HostDependencies } from '#node/consensus/hostPorts.ts';
import type { Peer } from '#node/network/network.ts';

export type EvidenceKeepingDependencies = Pick<
  HostDependencies,
  'chain' | 'network' | 'clock' | 'disk' | 'logger'
>;

/** Certificates of other values for a height whose block is not written yet. */
const MAX_HEARD = 64;
/** What reading a committed block to compare with counts as, in signature recoveries. */
const READ_COST = 8;

export class EvidenceKeeping {
  readonly #domain: ConsensusDomain;
  readonly #deps: EvidenceKeepingDependencies;
  readonly #pool: EvidencePool;
  readonly #gossip: EvidenceGossip;
  /** One for each peer. */
  #heard = new Map<string, { readonly peer: Peer; readonly certificate: CommitCertificate }>();

  constructor(
    domain: ConsensusDomain,
    dependencies: EvidenceKeepingDependencies,
    options: Partial<Omit<EvidencePoolOptions, 'domain'>> = {},
  ) {
    this.#domain = domain;
    this.#deps = dependencies;
    this.#pool = new EvidencePool({ ...DEFAULT_EVIDENCE_OPTIONS, ...options, domain }, dependencies);
    this.#gossip = new EvidenceGossip({ ...dependencies, pool: this.#pool });
  }

  /** Without a disk that works, evidence is kept in memory. */
  async start(): Promise<void> {
    const { disk, logger } = this.#deps;
    try {
      const { store, records, damage } = await EvidenceStore.open(disk, this.#domain.genesisHash);
      if (damage !== null) logger.error({ damage }, 'evidence file damaged');
      await this.#pool.restore(store, records);
    } catch (error) {
      logger.error({ err: error }, 'evidence file not opened: evidence is kept in memory; check the disk');
    }
    this.#gossip.start();
  }

  async stop(): Promise<void> {
    this.#gossip.stop();
    await this.#gossip.idle();
    await this.#pool
      .close()
      .catch((error: unknown) => this.#deps.logger.error({ err: error }, 'evidence file not closed'));
  }

  /** From the engine. */
  note(item: Misbehaviour): void {
    this.#gossip.note(item);
  }

  receive(peer: Peer, item: Misbehaviour): void {
    this.#gossip.receive(peer, item);
  }

  noteHeight(peer: Peer, height: bigint): void {
    this.#gossip.noteHeight(peer, height);
  }

  onConnected(peer: Peer): void {
    this.#gossip.onConnected(peer);
  }

  /** Every second. */
  tick(): void {
    this.#gossip.tick();
  }

  /** Any certificate that a peer sent for the current height or an earlier one, verified or not. */
  onCertificate(peer: Peer, certificate: CommitCertificate): void {
    const { chain, logger } = this.#deps;
    if (certificate.height > chain.head().block.height) {
      if (this.#heard.size < MAX_HEARD) this.#heard.set(peer.peerId, { peer, certificate });
      return;
    }
    if (!this.#gossip.mayVerify(peer, READ_COST)) return;
    conflictWithChain(chain, certificate).then(
      (conflict) => {
        if (conflict !== null) this.receive(peer, conflict);
      },
      (error: unknown) => logger.error({ err: error }, 'certificate not compared'),
    );
  }

  /** The engine is done with a height. */
  onHeightOver(state: HeightState, { block }: Head): void {
    const heard = [...this.#heard.values()];
    this.#heard = new Map();
    if (block.certificate !== null && block.height === state.context.height)
      for (const item of conflictsIn(state, block.certificate)) this.note(item);
    for (const { peer, certificate } of heard)
      if (certificate.height <= block.height && certificate.valueId !== block.valueId)
        this.onCertificate(peer, certificate);
    this.#pool.expire();
  }

  list(): readonly KeptEvidence[] {
    return this.#pool.list();
  }
}
