/**
 * The two commands of a fresh clone: installs what is missing, then hands over to the pinned Node.
 *
 * Owns installation only. Plain JavaScript that old Nodes understand, because it runs on the machine's own Node.
 * Everything it prints goes to stderr: stdout belongs to the command (`--json`).
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');
const pinnedNode = join(modules, 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
const stamp = join(modules, '.causeway-installed');

const say = (text) => process.stderr.write(`${text}\n`);

const fail = (message, hint) => {
  say(`causeway: ${message}`);
  if (hint) say(`  ${hint}`);
  process.exit(1);
};

/** Installed means: by this lock file, for this platform. */
const wantedStamp = () => {
  const hash = createHash('sha256');
  for (const file of ['package.json', 'package-lock.json']) hash.update(readFileSync(join(root, file)));
  return `${hash.digest('hex')} ${process.platform}-${process.arch}\n`;
};

const isInstalled = () =>
  existsSync(pinnedNode) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wantedStamp();

/** A second `npm start` or `npm test` beside the first one waits instead of installing into the same folder. */
const installLock = join(root, '.causeway-install-lock');

const takeInstallLock = async () => {
  for (let told = false; ; ) {
    try {
      mkdirSync(installLock);
      writeFileSync(join(installLock, 'pid'), String(process.pid));
      return;
    } catch (error) {
      if (error.code !== 'EEXIST')
        fail(`cannot write to ${root}: ${error.message}`, 'Clone into a folder that you may write to.');
    }
    if (!told) say('Another installation is under way in this folder; waiting for it…');
    told = true;
    await new Promise((resolve) => setTimeout(resolve, 500));
    if (!isHolderAlive()) rmSync(installLock, { recursive: true, force: true });
  }
};

const isHolderAlive = () => {
  try {
    process.kill(Number(readFileSync(join(installLock, 'pid'), 'utf8')), 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
};

const runInstall = () =>
  new Promise((resolve) => {
    const started = Date.now();
    const npm = process.env.npm_execpath;
    const args = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'];
    const child = npm
      ? spawn(process.execPath, [npm, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
      : spawn('npm', args, {
          cwd: root,
          stdio: ['ignore', 'pipe', 'pipe'],
          shell: process.platform === 'win32',
        });
    let output = '';
    const keep = (chunk) => {
      output = (output + chunk).slice(-20_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const ticker = setInterval(
      () => say(`  … still installing (${Math.round((Date.now() - started) / 1000)} s)`),
      10_000,
    );
    const finish = (code, extra) => {
      clearInterval(ticker);
      resolve({ code, output: output + extra, seconds: Math.round((Date.now() - started) / 1000) });
    };
    child.on('error', (error) => finish(1, String(error)));
    child.on('close', (code) => finish(code, ''));
  });

/** The parts that a package manager can leave out without failing, each needed at run time. */
const proveParts = () => {
  const version = spawnSync(pinnedNode, ['--version'], { encoding: 'utf8' });
  if (version.status !== 0)
    fail(
      `the pinned Node did not start (${pinnedNode})`,
      'Its npm package carries the binary in an install script: run `npm install --no-save --foreground-scripts` and read what it says.',
    );
  const parts = [
    ['secp256k1 (native signatures)', "await import('secp256k1/bindings.js')"],
    ['classic-level (storage)', "await import('classic-level')"],
  ];
  for (const [name, script] of parts) {
    const tried = spawnSync(pinnedNode, ['--input-type=module', '-e', script], {
      cwd: root,
      encoding: 'utf8',
    });
    if (tried.status !== 0)
      fail(
        `${name} does not load on ${process.platform}-${process.arch}:\n${tried.stderr.trim()}`,
        'Without a prebuilt binary it is compiled at installation: install python3, make and a C++ compiler, remove node_modules, and run this again.',
      );
  }
};

const install = async () => {
  try {
    accessSync(root, constants.W_OK);
  } catch {
    fail(`cannot write to ${root}`, 'Clone into a folder that you may write to.');
  }
  await takeInstallLock();
  try {
    if (isInstalled()) return;
    say('Installing the libraries (about 750 MB, once; a minute or two)…');
    const { code, output, seconds } = await runInstall();
    if (code !== 0)
      fail(
        `npm install ended with ${code}:\n${output.trim()}`,
        'It needs an npm registry: check the network, proxy and free disk space, then run this again.',
      );
    proveParts();
    writeFileSync(stamp, wantedStamp());
    say(`Installed in ${seconds} s.`);
  } finally {
    rmSync(installLock, { recursive: true, force: true });
  }
};

const commands = {
  start: ['cli/main.ts', 'devnet', 'up'],
  test: ['test/run.mjs'],
  check: ['test/run.mjs', 'check'],
  sim: ['test/sim/main.ts'],
  chaos: ['test/chaos/main.ts'],
  mutation: ['test/mutation/mutate.ts'],
  flood: ['test/perf/flood.ts'],
  bench: ['test/perf/bench/main.ts'],
  'worst-case': ['test/perf/worstCase.ts'],
  'test:spec': ['test/spec/main.ts'],
  'test:peg': ['test/run.mjs', 'test/contracts', 'test/unit/bridge'],
  'test:rpc': ['test/run.mjs', 'test/rpc', 'test/unit/node/rpc'],
};

const [name, ...rest] = process.argv.slice(2);
const command = commands[name];
if (!command)
  fail(`unknown command ${name ?? '(none)'}`, `Expected one of: ${Object.keys(commands).join(', ')}.`);

if (!isInstalled()) await install();

const child = spawn(pinnedNode, [join(root, command[0]), ...command.slice(1), ...rest], {
  cwd: root,
  stdio: 'inherit',
});
// The terminal sends Ctrl-C to the whole group; a supervisor sends SIGTERM to this process alone.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('error', (error) => fail(`cannot start the pinned Node: ${error.message}`));
child.on('close', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 143)));
