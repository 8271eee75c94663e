/**
 * A command: its path, its options, its help, and the one function that runs it.
 *
 * Owns the shape and its registration with commander. Commands are thin: they parse, call what does the work, and
 * return data with its text for people. What does the work is imported when it runs: a node, viem and libp2p take a
 * second to load, which `--help` and `devnet status` need not pay.
 */
import { Command as CommanderCommand } from 'commander';
import type { ExitCode } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';
import {
  attributeOf,
  jsonOption,
  type OptionDefinition,
  type OptionTable,
  type OptionValues,
  toCommanderOption,
} from '#cli/options.ts';

/**
 * `data` for machines (bigints become decimal strings), `text` for people. A command that answers a question says no by
 * its exit code.
 */
export type Answer = { readonly data: unknown; readonly text: string; readonly exitCode?: ExitCode };
/** What was written while it ran is not written again. */
export type CommandResult =
  | (Answer & { readonly isWritten?: false })
  | { readonly isWritten: true; readonly exitCode: ExitCode };

export type ArgumentDefinition<T> = {
  readonly name: string;
  readonly help: string;
  readonly parse: (text: string) => T;
};

export type Command = {
  readonly path: readonly [group: string, verb: string] | readonly [verb: string];
  readonly summary: string;
  readonly description: string;
  /** Without the leading `causeway`. */
  readonly examples: readonly string[];
  readonly options: Readonly<Record<string, OptionDefinition<unknown>>>;
  readonly argument?: ArgumentDefinition<unknown>;
  readonly run: (values: OptionValues, io: Io) => Promise<CommandResult | null>;
};

type CommandInput<O extends OptionValues, A> = Omit<Command, 'options' | 'argument' | 'run'> & {
  readonly options: OptionTable<O>;
  readonly argument?: ArgumentDefinition<A>;
  /** @param values the options, and the argument under `argument` */
  readonly run: (values: O & { readonly argument: A }, io: Io) => Promise<CommandResult | null>;
};

/** Infers the values that `run` receives from the option definitions. */
export const defineCommand = <O extends OptionValues, A = undefined>(input: CommandInput<O, A>): Command =>
  input as unknown as Command;

const helpText = ({ examples }: Command): string =>
  `\nExamples:\n${examples.map((example) => `  $ causeway ${example}`).join('\n')}\n`;

export type Invocation = { readonly command: Command; readonly values: OptionValues; readonly json: boolean };

const addCommand = (
  parent: CommanderCommand,
  command: Command,
  invoke: (invocation: Invocation) => void,
): void => {
  const target = parent
    .command(command.path.at(-1)!)
    .summary(command.summary)
    .description(command.description)
    .addHelpText('after', helpText(command));
  if (command.argument !== undefined)
    target.argument(`<${command.argument.name}>`, command.argument.help, command.argument.parse);
  for (const definition of Object.values(command.options)) target.addOption(toCommanderOption(definition));
  target.addOption(toCommanderOption(jsonOption));
  target.action(() => {
    const parsed = target.opts<Record<string, unknown>>();
    const values = Object.fromEntries(
      Object.entries(command.options).map(([name, definition]) => {
        const value = parsed[attributeOf(definition)];
        return [name, definition.parse === undefined ? value === true : value];
      }),
    );
    invoke({
      command,
      values: { ...values, argument: target.processedArgs[0] },
      json: parsed.json === true,
    });
  });
};

const GROUPS: Readonly<Record<string, string>> = {
  devnet: 'a whole network on this machine: L1, four validators, three relayers',
  genesis: 'what everyone agrees on before block 0',
  ceremony: 'members who trust nobody’s machine make that genesis together',
  key: 'signing keys and node identities',
  node: 'a validator or full node',
  relayer: 'a relayer with its own full node',
  validators: 'who votes: propose, vote, join',
  db: 'the chain database of a node: what it holds, and deleting what is old',
  wal: 'the write-ahead log of a stopped or running validator',
  guard: 'what a validator has signed, and will therefore not sign',
  bridge: 'the peg: deploy it, cross it, look at it',
};

export const createProgram = (
  commands: readonly Command[],
  version: string,
  invoke: (invocation: Invocation) => void,
): CommanderCommand => {
  const program = new CommanderCommand('causeway')
    .description('A permissioned EVM sidechain with a two-way peg.')
    .version(version)
    .showSuggestionAfterError()
    .helpCommand(false);
  const groups = new Map<string, CommanderCommand>();
  for (const command of commands) {
    const [name, verb] = command.path;
    if (verb === undefined) {
      addCommand(program, command, invoke);
      continue;
    }
    let group = groups.get(name);
    if (group === undefined) {
      group = program
        .command(name)
        .description(GROUPS[name] ?? '')
        .helpCommand(false);
      groups.set(name, group);
    }
    addCommand(group, command, invoke);
  }
  return program;
};
