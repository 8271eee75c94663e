/** The chain of one process of a run: hash execution, blocks that outlive it, imports that are checked. */
import { verifyCommitCertificate } from '#consensus/certificate.ts';
import type { Hash } from '#consensus/primitives.ts';
import type { CommitCertificate, ConsensusDomain } from '#consensus/types.ts';
import type { CommittedBlock } from '#node/chain.ts';
import { blockToPayload } from '#node/consensus/answers.ts';
import type { Clock } from '#node/consensus/clock.ts';
import type { BlockRecord } from '#node/storage/records.ts';
import { FakeChain, type FakeDatabase, type FakeExecution, type SetSchedule } from './cluster/fakeChain.ts';
import { type EffectCounter, never, type SimProcess } from './simProcess.ts';

export type SimChainPorts = {
  readonly clock: Clock;
  readonly effects: EffectCounter;
  readonly setAt: SetSchedule;
  readonly execution: FakeExecution;
  readonly onBlock: (process: SimProcess, block: BlockRecord) => void;
};

export class SimChain extends FakeChain {
  readonly #process: SimProcess;
  readonly #ports: SimChainPorts;

  constructor(process: SimProcess, database: FakeDatabase, ports: SimChainPorts) {
    super(database, ports.setAt, ports.clock, ports.execution, () => process.isAlive);
    this.#process = process;
    this.#ports = ports;
  }

  override async commit(valueId: Hash, certificate: CommitCertificate): Promise<CommittedBlock> {
    const { effects } = this.#ports;
    if (!effects.pass(this.#process)) return never();
    const committed = await super.commit(valueId, certificate);
    return effects.pass(this.#process) ? committed : never();
  }

  protected override append(block: BlockRecord): CommittedBlock {
    this.#ports.onBlock(this.#process, block);
    return super.append(block);
  }

  /** Block sync: takes what the other has above the own head, as far as it is proven and derives to the same. */
  syncFrom(other: FakeDatabase, domain: ConsensusDomain): void {
    for (let next = this.head().block.height + 1n; ; next++) {
      const block = other.blocks[Number(next)];
      if (block === undefined || block.certificate === null) return;
      const derivation = this.execute(blockToPayload(block));
      const isProven = verifyCommitCertificate(domain, this.#ports.setAt(next), block.certificate, {
        height: next,
        valueId: block.valueId,
      }).valid;
      if (!isProven || !derivation.valid || derivation.valueId !== block.valueId) return;
      if (!this.#ports.effects.pass(this.#process)) return;
      this.append(block);
      if (!this.#ports.effects.pass(this.#process)) return;
    }
  }
}
