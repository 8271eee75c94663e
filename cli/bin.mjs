#!/usr/bin/env node
/**
 * The `causeway` executable: runs main.ts, on the pinned Node when the caller's is too old for it.
 *
 * Plain JavaScript that old Nodes understand.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const folder = dirname(fileURLToPath(import.meta.url));
const main = join(folder, 'main.ts');
const WANTED_MAJOR = 24;

const runOnPinnedNode = () => {
  const pinned = join(
    folder,
    '..',
    'node_modules',
    'node',
    'bin',
    process.platform === 'win32' ? 'node.exe' : 'node',
  );
  if (!existsSync(pinned)) {
    process.stderr.write(
      `causeway: expected Node ${WANTED_MAJOR} or newer, found ${process.version}, and no pinned Node at ${pinned}\n` +
        '  Run `npm install` in the repository, or use a newer Node.\n',
    );
    process.exit(3);
  }
  // Descriptors above 2 are not inherited unless named: the one that carries a pass phrase is.
  const at = process.argv.findIndex((argument) => /^--passphrase-fd(=|$)/.test(argument));
  const fd = at < 0 ? 2 : Number(process.argv[at].split('=')[1] ?? process.argv[at + 1]);
  const stdio = ['inherit', 'inherit', 'inherit'];
  if (Number.isInteger(fd) && fd > 2 && fd < 256) {
    while (stdio.length < fd) stdio.push('ignore');
    stdio.push('inherit');
  }
  const env = { ...process.env };
  delete env.NODE_CHANNEL_FD;
  const child = spawn(pinned, [main, ...process.argv.slice(2)], { stdio, env });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`causeway: cannot start ${pinned}: ${error.message}\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => process.exit(code === null ? (signal === 'SIGINT' ? 130 : 143) : code));
};

if (Number(process.versions.node.split('.')[0]) < WANTED_MAJOR) runOnPinnedNode();
else await import(pathToFileURL(main).href).then(({ runProcess }) => runProcess());
