/**
 * The `causeway` command: parses, runs one command, reports, exits with a code that means something.
 *
 * Owns process-wide concerns: signals, streams, exit codes, uncaught errors. Everything else is in commands/.
 */
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CommanderError } from 'commander';
import { createProgram, type Invocation } from '#cli/command.ts';
import { COMMANDS } from '#cli/commands/index.ts';
import { CliError, EXIT, type ExitCode, toCliError } from '#cli/errors.ts';
import { createIo, type Streams, toJson } from '#cli/io.ts';
import { readVersion } from '#cli/version.ts';

const reportError = (error: CliError, json: boolean, { stdout, stderr, env }: Streams): void => {
  if (json) {
    const { code, message, hint } = error;
    stdout.write(`${toJson({ error: { code, message, hint } })}\n`);
    return;
  }
  stderr.write(`causeway: ${error.message}\n`);
  if (error.hint !== null) stderr.write(`  ${error.hint}\n`);
  if (error.exitCode === EXIT.internal && env.CAUSEWAY_DEBUG !== undefined)
    stderr.write(`${(error.cause as Error | undefined)?.stack ?? error.stack}\n`);
};

const runInvocation = async (
  { command, values, json }: Invocation,
  streams: Streams,
  signal: AbortSignal,
): Promise<ExitCode> => {
  const io = createIo(streams, json, signal);
  const result = await command.run(values, io);
  if (result === null) return EXIT.ok;
  if (result.isWritten === true) return result.exitCode;
  if (json) io.out(toJson(result.data));
  else if (result.text !== '') io.out(result.text);
  return result.exitCode ?? EXIT.ok;
};

/** What commander refuses becomes a usage error; help and version are not errors. */
const parseArguments = (argv: readonly string[], streams: Streams): Invocation | CliError | null => {
  let invocation: Invocation | null = null;
  let helpText = '';
  const program = createProgram(COMMANDS, readVersion(), (found) => {
    invocation = found;
  });
  const prepare = (command: typeof program): void => {
    command.exitOverride().configureOutput({
      writeOut: (text) => void streams.stdout.write(text),
      writeErr: (text) => {
        helpText += text;
      },
    });
    command.commands.forEach((child) => {
      prepare(child as typeof program);
    });
  };
  prepare(program);
  try {
    program.parse(argv, { from: 'user' });
    return invocation;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return null;
    if (error.code === 'commander.help') {
      streams.stderr.write(helpText);
      return new CliError('expected a command, found none', { code: 'USAGE', exitCode: EXIT.usage });
    }
    return new CliError(error.message.replace(/^error: /, ''), {
      code: 'USAGE',
      exitCode: EXIT.usage,
      hint: 'Run it with --help for the options and examples.',
    });
  }
};

/** @param argv without node and script. @returns the exit code */
export const runCli = async (
  argv: readonly string[],
  streams: Streams,
  signal: AbortSignal,
): Promise<number> => {
  const asksForJson = argv.includes('--json');
  try {
    const parsed = parseArguments(argv, streams);
    if (parsed === null) return EXIT.ok;
    if (parsed instanceof CliError) throw parsed;
    return await runInvocation(parsed, streams, signal);
  } catch (error) {
    const cliError = toCliError(error);
    reportError(cliError, asksForJson, streams);
    return cliError.exitCode;
  }
};

/** One Ctrl-C can arrive twice: from the terminal and forwarded by the process that started this one. */
const SAME_KEYSTROKE_MS = 1_000;

/** The first signal asks; a later Ctrl-C insists. A node started by another process also stops when that one is gone. */
const abortOnSignals = (): AbortSignal => {
  const controller = new AbortController();
  let askedAt = 0;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => {
      const now = performance.now();
      if (!controller.signal.aborted) askedAt = now;
      else if (name === 'SIGINT' && now - askedAt > SAME_KEYSTROKE_MS) process.exit(130);
      controller.abort();
    });
  if (process.channel !== undefined) {
    process.once('disconnect', () => controller.abort());
    process.channel.unref();
  }
  return controller.signal;
};

/** Lets what was written reach a pipe before the process ends. */
const drain = (stream: NodeJS.WriteStream): Promise<void> =>
  new Promise((resolve) => {
    stream.write('', () => resolve());
  });

const isMain = (): boolean => {
  const [, script] = process.argv;
  return script !== undefined && realpathSync(script) === fileURLToPath(import.meta.url);
};

export const runProcess = async (): Promise<void> => {
  const { stdout, stderr, env, argv } = process;
  const code = await runCli(argv.slice(2), { stdout, stderr, env }, abortOnSignals());
  await Promise.all([drain(stdout), drain(stderr)]);
  process.exit(code);
};

if (isMain()) await runProcess();
