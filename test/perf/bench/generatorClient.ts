/** The bench's side of its load generator: one process, one message at a time, a fault of it is thrown here. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type {
  FromGenerator,
  GeneratorSetup,
  PhasePlan,
  PhaseReport,
  ToGenerator,
} from './generatorProtocol.ts';

type Of<T extends FromGenerator['type']> = Extract<FromGenerator, { type: T }>;

export type PhaseEvents = { steady(): void; sent(): void };

export class GeneratorClient {
  readonly #child: ChildProcess;
  readonly #arrived: FromGenerator[] = [];
  #wake: () => void = () => undefined;
  #exit: string | null = null;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (message: FromGenerator) => {
      this.#arrived.push(message);
      this.#wake();
    });
    child.on('exit', (code, signal) => {
      this.#exit = `the load generator ended with ${signal ?? code}`;
      this.#wake();
    });
  }

  static async start(setup: GeneratorSetup): Promise<GeneratorClient> {
    const client = new GeneratorClient(fork(fileURLToPath(new URL('generator.ts', import.meta.url)), []));
    client.#tell({ type: 'setup', setup });
    await client.#next('ready');
    return client;
  }

  #tell(message: ToGenerator): void {
    this.#child.send(message);
  }

  async #next<T extends FromGenerator['type']>(type: T): Promise<Of<T>> {
    for (;;) {
      const message = this.#arrived.shift();
      if (message?.type === type) return message as Of<T>;
      if (message?.type === 'failed') throw new Error(`load generator: ${message.message}`);
      if (message !== undefined)
        throw new Error(`expected ${type} of the load generator, found ${message.type}`);
      if (this.#exit !== null) throw new Error(this.#exit);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async run(plan: PhasePlan, events: PhaseEvents): Promise<PhaseReport> {
    this.#tell({ type: 'phase', plan });
    await this.#next('signed');
    this.#tell({ type: 'go' });
    await this.#next('steady');
    events.steady();
    await this.#next('sent');
    events.sent();
    return (await this.#next('done')).report;
  }

  async idle(count: number): Promise<readonly number[]> {
    this.#tell({ type: 'idle', count });
    return (await this.#next('idleDone')).latencyMs;
  }

  pid(): number {
    return this.#child.pid!;
  }

  stop(): void {
    this.#child.kill('SIGKILL');
  }
}
