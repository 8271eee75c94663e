import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCli } from '#cli/main.ts';
import { EXAMPLE_SPEC_JSON } from '#test/unit/genesis/exampleSpec.ts';

const run = async (...argv: string[]) => {
  let stdout = '';
  let stderr = '';
  const streams = {
    stdout: {
      write: (text: string) => {
        stdout += text;
      },
    },
    stderr: {
      write: (text: string) => {
        stderr += text;
      },
    },
    env: { NO_COLOR: '1' },
  };
  const code = await runCli(argv, streams, new AbortController().signal);
  return { code, stdout, stderr };
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'causeway-cli-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('usage errors end with exit code 2', () => {
  test('an unknown command, option or value, a missing one, no command at all', async () => {
    for (const argv of [
      [],
      ['key'],
      ['nonsense'],
      ['key', 'burn'],
      ['key', 'new', '--out', 'x'],
      ['key', 'new', '--kind', 'golden', '--out', 'x'],
      ['devnet', 'up', '--colour'],
      ['devnet', 'up', '--port-base', '65530'],
      ['devnet', 'up', '--port-base', '1e3'],
      ['bridge', 'deposit', '--amount', '1,5'],
    ])
      expect([argv, (await run(...argv)).code]).toEqual([argv, 2]);
  });

  test('the message names the flag, and the hint points at the help', async () => {
    const { stderr, stdout } = await run('key', 'new', '--kind', 'golden', '--out', 'x');
    expect(stderr).toContain("'--kind <kind>'");
    expect(stderr).toContain('Expected "signing" or "node", found "golden"');
    expect(stderr).toContain('--help');
    expect(stdout).toBe('');
  });
});

test('with --json an error is one JSON object {code, message, hint} on stdout', async () => {
  const { code, stdout } = await run('genesis', 'inspect', join(folder, 'none.json'), '--json');
  expect(code).toBe(3);
  expect(JSON.parse(stdout)).toEqual({
    error: { code: 'UNREADABLE', message: expect.stringContaining('none.json'), hint: null },
  });
});

test('every command has help with an example that begins with its own path', async () => {
  const { stdout } = await run('--help');
  expect(stdout).toContain('devnet');
  for (const path of [
    'devnet up',
    'devnet down',
    'devnet status',
    'genesis build',
    'genesis inspect',
    'key new',
    'key inspect',
    'node run',
    'relayer run',
    'bridge deploy',
    'bridge deposit',
    'bridge withdraw',
    'bridge claim',
    'bridge status',
  ]) {
    const help = await run(...path.split(' '), '--help');
    expect(help.code).toBe(0);
    expect(help.stdout).toContain(`$ causeway ${path}`);
    expect(help.stdout).toContain('--json');
  }
});

describe('genesis', () => {
  const write = async (name: string, json: unknown): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, typeof json === 'string' ? json : JSON.stringify(json));
    return path;
  };

  test('a broken specification is a configuration error that says the remedy', async () => {
    const spec = await write('spec.json', { ...EXAMPLE_SPEC_JSON, relayerThreshold: '1' });
    const { code, stderr } = await run('genesis', 'build', '--spec', spec, '--out', join(folder, 'g.json'));
    expect(code).toBe(3);
    expect(stderr).toContain('m ≥ 2');
  });

  test('builds once, never overwrites, and inspects what it built', async () => {
    const spec = await write('spec.json', EXAMPLE_SPEC_JSON);
    const out = join(folder, 'genesis.json');
    const built = await run('genesis', 'build', '--spec', spec, '--out', out, '--json');
    expect(built.code).toBe(0);
    const { genesisHash } = JSON.parse(built.stdout);
    expect((await run('genesis', 'build', '--spec', spec, '--out', out)).code).toBe(3);
    const inspected = await run('genesis', 'inspect', out, '--json');
    expect(JSON.parse(inspected.stdout)).toMatchObject({ genesisHash, format: 'causeway-genesis-3' });
  });

  test('an edited file is a verification failure that names what differs', async () => {
    const spec = await write('spec.json', EXAMPLE_SPEC_JSON);
    const out = join(folder, 'genesis.json');
    await run('genesis', 'build', '--spec', spec, '--out', out);
    const json = JSON.parse(await readFile(out, 'utf8'));
    const { code, stderr } = await run(
      'genesis',
      'inspect',
      await write('edited.json', { ...json, spec: { ...json.spec, epochLength: '200' } }),
    );
    expect(code).toBe(5);
    expect(stderr).toContain('specHash');
    const other = await write('other.json', { ...json, format: 'causeway-genesis-0' });
    const refused = await run('genesis', 'inspect', other);
    expect(refused.code).toBe(3);
    expect(refused.stderr).toContain('devnet down --purge');
  });
});

describe('key', () => {
  test('creates, refuses to overwrite, and refuses a wrong pass phrase as denied', async () => {
    const file = join(folder, 'key.json');
    const right = join(folder, 'right');
    const wrong = join(folder, 'wrong');
    await writeFile(right, 'correct horse');
    await writeFile(wrong, 'battery staple');
    const args = ['--kind', 'signing', '--out', file, '--light', '--passphrase-file', right];
    const made = await run('key', 'new', ...args, '--json');
    expect(made.code).toBe(0);
    expect((await run('key', 'new', ...args)).code).toBe(3);
    const { address } = JSON.parse(made.stdout);
    const inspected = await run('key', 'inspect', file, '--verify', '--passphrase-file', right);
    expect(inspected.stdout).toContain(address);
    const denied = await run('key', 'inspect', file, '--verify', '--passphrase-file', wrong, '--json');
    expect(denied.code).toBe(6);
    expect(JSON.parse(denied.stdout).error.code).toBe('WRONG_PASSPHRASE');
    expect(made.stdout + inspected.stdout).not.toContain('correct horse');
  });
});

test('a node without its configuration is a configuration error that names the file', async () => {
  const { code, stderr } = await run('node', 'run', '--config', join(folder, 'missing.toml'));
  expect(code).toBe(3);
  expect(stderr).toContain('missing.toml');
});
