/**
 * `npm test` and `npm run check`: every step in turn, then one line that counts.
 *
 * usage: run.mjs [check | PATTERN…]: `check` runs the checks alone, patterns run matching test files alone.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = (path) => join(root, 'node_modules', path);
const jest = [
  '--experimental-vm-modules',
  '--disable-warning=ExperimentalWarning',
  bin('jest/bin/jest.js'),
  '--colors=false',
];
const node = process.execPath;

const run = (args, options = {}) =>
  new Promise((resolve) => {
    let output = '';
    const child = spawn(node, args, {
      cwd: root,
      stdio: options.quiet ? ['ignore', 'pipe', 'pipe'] : 'inherit',
    });
    child.stdout?.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr?.on('data', (chunk) => {
      output += chunk;
    });
    child.on('close', (code) => resolve({ code, output }));
  });

const checks = [
  ['types', [bin('typescript/bin/tsc')]],
  ['lint, layers and formatting', [bin('@biomejs/biome/bin/biome'), 'ci', '--colors=off']],
  [
    'Solidity formatting',
    [
      bin('prettier/bin/prettier.cjs'),
      '--check',
      'bridge/contracts/*.sol',
      'genesis/contracts/*.sol',
      '--plugin=prettier-plugin-solidity',
    ],
  ],
  [
    'Solidity lint',
    [bin('solhint/solhint.js'), '--max-warnings', '0', 'bridge/contracts/*.sol', 'genesis/contracts/*.sol'],
  ],
  ['contracts match their sources', ['bridge/contracts/compile.ts', '--check']],
  ['repository', ['test/checkRepository.ts']],
  ['each mutation has its line', ['test/mutation/mutate.ts', '--check']],
];

/** Bounded versions of what has a script of its own. */
const toolRuns = [
  ['four mutations are caught (all of them: npm run mutation)', ['test/mutation/mutate.ts', '--sample', '4']],
  ['branch coverage of consensus/ is at least 98 %', coverageOf('consensus', 98)],
];

/** Its own unit tests alone; the seeded runs would only add what they happen to reach. */
function coverageOf(folder, branches) {
  return [
    ...jest,
    '--coverage',
    '--coverageProvider=v8',
    `--coverageDirectory=${join(tmpdir(), 'causeway-coverage')}`,
    `--collectCoverageFrom=${folder}/**/*.ts`,
    '--collectCoverageFrom=!**/*.d.ts',
    // types alone
    `--collectCoverageFrom=!${folder}/engine.ts`,
    '--coverageReporters=text',
    `--coverageThreshold={"global":{"branches":${branches}}}`,
    '--testPathIgnorePatterns=simulation',
    '--',
    `test/unit/${folder}/`,
  ];
}

const runSteps = async (steps) => {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const [name, args] of steps) {
    const started = Date.now();
    const { code, output } = await run(args, { quiet: true });
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    console.log(`${code === 0 ? '✓' : '✗'} ${name} (${seconds} s)`);
    if (code === 0) counts.passed++;
    else {
      counts.failed++;
      console.log(output.trim());
    }
  }
  return counts;
};

/** Real processes and chains need both cores to themselves; unit tests do not. */
const suites = [
  ['unit and contract tests', ['test/unit', 'test/contracts', 'test/faults', 'test/rpc'], ['--maxWorkers=2']],
  ['simulation', ['test/sim'], ['--runInBand', '--verbose']],
  ['end-to-end tests', ['test/e2e', 'test/chaos'], ['--runInBand', '--verbose']],
];

const runJest = async (name, patterns, options) => {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-test-'));
  const file = join(folder, 'result.json');
  console.log(`\n${name}`);
  try {
    const { code } = await run([...jest, '--json', `--outputFile=${file}`, ...options, ...patterns], {
      quiet: false,
    });
    const result = JSON.parse(readFileSync(file, 'utf8'));
    // A suite that fails to load has no test that could fail.
    const failed = result.numFailedTests + result.numRuntimeErrorTestSuites;
    return {
      passed: result.numPassedTests,
      failed: failed === 0 && code !== 0 ? 1 : failed,
      skipped: result.numPendingTests,
    };
  } catch (error) {
    console.log(`✗ ${name}: the test runner left no result (${error.message})`);
    return { passed: 0, failed: 1, skipped: 0 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const patterns = process.argv.slice(2);
const results = [];
if (patterns.length === 0 || patterns[0] === 'check') results.push(await runSteps(checks));
if (patterns.length === 0) {
  for (const [name, folders, options] of suites) results.push(await runJest(name, folders, options));
  results.push(await runSteps(toolRuns));
} else if (patterns[0] !== 'check')
  results.push(await runJest('selected tests', patterns, ['--runInBand', '--verbose']));

const total = results.reduce(
  (sum, counts) => ({
    passed: sum.passed + counts.passed,
    failed: sum.failed + counts.failed,
    skipped: sum.skipped + counts.skipped,
  }),
  { passed: 0, failed: 0, skipped: 0 },
);
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1);
