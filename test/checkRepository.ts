/**
 * What no linter knows about this repository: its visible folders, relative imports that leave a folder, links in
 * Markdown that lead nowhere, download addresses in the lock file, unfinished marks, the Dockerfile's grammar.
 *
 * Prints each fault with its place; exits with 1 if there is any.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { validate } from 'dockerfile-utils';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const git = (...args: string[]): string[] =>
  execFileSync('git', args, { cwd: root, encoding: 'utf8' }).split('\n').filter(Boolean);
// What is tracked or would be: a fault shows before it is committed.
const files = git('ls-files', '--cached', '--others', '--exclude-standard').filter((file) =>
  existsSync(join(root, file)),
);
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

const FOLDERS = ['node', 'consensus', 'bridge', 'genesis', 'cli', 'test', 'configs'];

const unknownFolders = (): string[] =>
  [...new Set(files.filter((file) => file.includes('/')).map((file) => file.split('/')[0]!))]
    .filter((folder) => !folder.startsWith('.') && !FOLDERS.includes(folder))
    .map((folder) => `${folder}/: expected only ${FOLDERS.join(', ')} as visible top-level folders`);

const relativeImportsAcrossFolders = (): string[] =>
  files
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) =>
      [...read(file).matchAll(/(?:from|import)\s*\(?\s*'(\.[^']*)'/g)]
        .map((match) => normalize(join(dirname(file), match[1]!)))
        .filter((target) => target.split('/')[0] !== file.split('/')[0])
        .map((target) => `${file}: imports ${target} by a relative path: use #${target}`),
    );

const brokenLinks = (): string[] =>
  files
    .filter((file) => file.endsWith('.md'))
    .flatMap((file) =>
      [...read(file).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
        .map((match) => match[1]!)
        .filter((target) => !/^[a-z]+:/.test(target))
        .filter((target) => !existsSync(join(root, dirname(file), target)))
        .map((target) => `${file}: links to ${target}, which does not exist`),
    );

const downloadAddresses = (): string[] =>
  /"resolved":/.test(read('package-lock.json'))
    ? [
        'package-lock.json: records download addresses: set omit-lockfile-registry-resolved=true and lock again',
      ]
    : [];

/** Written so that it does not match itself. */
const UNFINISHED = /\b(TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b|not[ ]implemented|\.(skip|only|todo)[(]/;

const unfinishedMarks = (): string[] =>
  files
    .filter((file) => /\.(ts|mjs|sol)$/.test(file))
    .flatMap((file) =>
      read(file)
        .split('\n')
        .flatMap((line, index) =>
          UNFINISHED.test(line) ? [`${file}:${index + 1}: unfinished mark: ${line.trim()}`] : [],
        ),
    );

const dockerfileFaults = (): string[] =>
  validate(read('Dockerfile')).map(({ range, message }) => `Dockerfile:${range.start.line + 1}: ${message}`);

const foldersWithoutReadme = (): string[] =>
  FOLDERS.filter((folder) => folder !== 'configs' && !existsSync(join(root, folder, 'README.md'))).map(
    (folder) => `${folder}/: has no README.md`,
  );

const faults = [
  ...unknownFolders(),
  ...relativeImportsAcrossFolders(),
  ...brokenLinks(),
  ...downloadAddresses(),
  ...unfinishedMarks(),
  ...dockerfileFaults(),
  ...foldersWithoutReadme(),
];
for (const fault of faults) console.log(fault);
process.exit(faults.length === 0 ? 0 : 1);
