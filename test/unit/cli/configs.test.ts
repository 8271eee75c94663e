import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '#node/config.ts';

const folder = fileURLToPath(new URL('../../../configs/', import.meta.url));
const examples = readdirSync(folder).filter((name) => name.endsWith('.toml'));

test('every example configuration is one that a node reads', async () => {
  expect(examples.sort()).toEqual(['devnet.toml', 'fullnode.toml', 'relayer.toml', 'validator.toml']);
  const configs = await Promise.all(examples.map((name) => loadConfig(`${folder}${name}`)));
  expect(configs.map(({ keys, relayer }) => [keys.consensus !== null, relayer !== null])).toEqual([
    [true, false],
    [false, false],
    [false, true],
    [true, false],
  ]);
});
