/**
 * Four validators as real processes over links that can be cut, beside the devnet that made their keys, genesis and
 * L1; killed, stopped for a while, wiped, or played by a Byzantine process.
 *
 * A process that ends by itself is a finding: it is kept, with the end of its log, until `findings` is read.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { devnetLayout, nodeFiles } from '#cli/devnet/layout.ts';
import type { Address } from '#consensus/primitives.ts';
import type { ConsensusDomain } from '#consensus/types.ts';
import type { Links } from '#test/chaos/links.ts';
import { type Devnet, RELAYERS, VALIDATORS } from '#test/e2e/support/devnet.ts';
import { genesisOf } from '#test/e2e/support/peg.ts';
import { collectSigned, type Signed } from '#test/e2e/support/signed.ts';
import type { FaultName } from '#test/faults/fault.ts';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const MAIN = join(root, 'cli', 'main.ts');
const BYZANTINE = join(root, 'test', 'chaos', 'byzantine', 'byzantineNode.ts');

type Running = { readonly child: ChildProcess; readonly exited: Promise<void>; asked: boolean };
type Member = {
  readonly index: number;
  readonly name: string;
  readonly address: Address;
  readonly config: string;
  readonly data: string;
  readonly log: string;
  readonly url: string;
  running: Running | null;
};

/** The devnet's configuration with other addresses; everything else stays as an operator would have it. */
const rewire = (toml: string, self: number, links: Links, devnet: Devnet): string => {
  const { validatorP2p, relayerP2p } = devnet.ports;
  const everyPort = [...validatorP2p, ...relayerP2p];
  return toml
    .replace(/^listen = .*$/m, `listen = "${links.listen(self)}"`)
    .replace(/^address = "\/ip4\/[^"]*\/tcp\/(\d+)"$/gm, (line, port: string) => {
      const to = everyPort.indexOf(Number(port));
      return to < validatorP2p.length ? `address = "${links.dial(self, to)}"` : line;
    })
    .replace(/^host = .*$/m, `host = "${links.rpcHost(self)}"`)
    .replace(/^urls = .*$/m, `urls = ["${links.l1Url(self)}"]`);
};

export class ChaosNetwork {
  readonly links: Links;
  readonly members: readonly Member[];
  readonly findings: string[] = [];
  readonly signed: Signed = new Map();
  readonly #domain: ConsensusDomain;

  static async takeOver(devnet: Devnet, links: Links): Promise<ChaosNetwork> {
    for (const name of [...VALIDATORS, ...RELAYERS]) await devnet.kill(name);
    const { spec, genesisHash } = await genesisOf(devnet);
    const layout = devnetLayout(devnet.data);
    const members = VALIDATORS.map((name, index): Member => {
      const files = nodeFiles(layout, name);
      const config = join(files.folder, 'chaos.toml');
      writeFileSync(config, rewire(readFileSync(files.config, 'utf8'), index, links, devnet));
      mkdirSync(layout.logs, { recursive: true });
      return {
        index,
        name,
        address: spec.validators.find((validator) => validator.name === name)!.address,
        config,
        data: files.data,
        log: join(layout.logs, `chaos-${name}.log`),
        url: `http://${links.rpcHost(index)}:${devnet.ports.validatorRpc[index]}`,
        running: null,
      };
    });
    return new ChaosNetwork(links, members, { chainId: spec.chainId, genesisHash });
  }

  private constructor(links: Links, members: readonly Member[], domain: ConsensusDomain) {
    this.links = links;
    this.members = members;
    this.#domain = domain;
  }

  urls(): readonly string[] {
    return this.members.map(({ url }) => url);
  }

  isUp(index: number): boolean {
    return this.members[index]!.running !== null;
  }

  start(index: number): void {
    this.#spawn(this.members[index]!, [MAIN, 'node', 'run', '--config', this.members[index]!.config]);
  }

  startByzantine(index: number, fault: FaultName, seed: number): void {
    this.#spawn(this.members[index]!, [BYZANTINE, fault, String(seed), this.members[index]!.config]);
  }

  /** SIGKILL; resolves when it is gone and what it had signed has been noted. */
  async kill(index: number): Promise<void> {
    const member = this.members[index]!;
    const { running } = member;
    if (running === null) return;
    running.asked = true;
    running.child.kill('SIGKILL');
    await running.exited;
    await this.#noteSigned(member);
  }

  signal(index: number, signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.members[index]!.running?.child.kill(signal);
  }

  /** The node must be down: chain, WAL and guard are gone, keys and configuration stay. */
  wipe(index: number): void {
    rmSync(this.members[index]!.data, { recursive: true, force: true });
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.members.map(({ index }) => this.kill(index)));
  }

  #spawn(member: Member, command: readonly string[]): void {
    if (member.running !== null) throw new Error(`expected ${member.name} to be down`);
    const [program, ...args] = this.links.wrap(member.index, [process.execPath, ...command]);
    const log = openSync(member.log, 'a');
    const child = spawn(program!, args, { cwd: root, stdio: ['ignore', log, log] });
    closeSync(log);
    const exited = new Promise<void>((resolve) => {
      child.once('close', (code, signal) => {
        if (!running.asked)
          this.findings.push(
            `${member.name} ended by itself with ${code ?? signal}: ${readFileSync(member.log, 'utf8').slice(-1_500)}`,
          );
        member.running = null;
        resolve();
      });
    });
    const running: Running = { child, exited, asked: false };
    member.running = running;
  }

  async #noteSigned({ data, address, name }: Member): Promise<void> {
    try {
      await collectSigned(data, address, this.#domain, this.signed);
    } catch (error) {
      this.findings.push(
        `${name}: its WAL or guard cannot be read after a kill: ${(error as Error).message}`,
      );
    }
  }
}
