/** The real consensus host behind a fault's network and clock; takes the real one's place in byzantineNode.ts. */
import { createValidatorSet } from '#consensus/validatorSet.ts';
import { ConsensusHost as HonestHost } from '#node/consensus/host.ts';
import type { HostDependencies, HostListeners, HostOptions } from '#node/consensus/hostPorts.ts';
import { byzantineSettings } from '#test/chaos/byzantine/settings.ts';
import type { FaultPosition } from '#test/faults/fault.ts';
import { FAULTS } from '#test/faults/faults.ts';
import { seededRandom } from '#test/sim/cluster/virtualClock.ts';

const isBegun = (host: HonestHost | null): host is HonestHost => {
  try {
    return host !== null && host.status().validators.length > 0;
  } catch {
    return false; // not started yet
  }
};

const positionOf = (host: HonestHost | null): FaultPosition | null => {
  if (!isBegun(host)) return null;
  const { height, round, validators } = host.status();
  const set = createValidatorSet(validators.map(({ address, power }) => ({ address, power })));
  return { height, round: Math.max(0, round), set };
};

export class ConsensusHost extends HonestHost {
  readonly #stopFault: () => void;

  constructor(options: HostOptions, dependencies: HostDependencies, listeners: HostListeners) {
    const { fault, seed, key } = byzantineSettings();
    const self: { host: HonestHost | null } = { host: null };
    const { network, clock, stop } = FAULTS[fault].create({
      network: dependencies.network,
      key,
      domain: options.domain,
      clock: dependencies.clock,
      random: seededRandom(seed),
      position: () => positionOf(self.host),
    });
    super(options, { ...dependencies, network, clock }, listeners);
    self.host = this;
    this.#stopFault = stop;
  }

  override async stop(): Promise<void> {
    this.#stopFault();
    await super.stop();
  }
}
