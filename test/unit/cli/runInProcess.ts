/** Runs one `causeway` command in this process, as its own would: exit code and streams. */
import { runCli } from '#cli/main.ts';

export type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string };

export const runCommand = async (...argv: string[]): Promise<Ran> => {
  const written = { stdout: '', stderr: '' };
  const writer = (name: keyof typeof written) => ({
    write: (text: string) => {
      written[name] += text;
    },
  });
  const streams = { stdout: writer('stdout'), stderr: writer('stderr'), env: { NO_COLOR: '1' } };
  const code = await runCli(argv, streams, new AbortController().signal);
  return { code, ...written };
};

/** With --json: the exit code and what the last line says. */
export const runJson = async (...argv: string[]) => {
  const { code, stdout } = await runCommand(...argv, '--json');
  return { code, ...JSON.parse(stdout) };
};
