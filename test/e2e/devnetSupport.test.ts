import { rmSync } from 'node:fs';
import { createDataFolder, eventually, processesOf, startDevnet } from './support/devnet.ts';

test('a devnet that does not come up leaves no process behind', async () => {
  const data = createDataFolder();
  try {
    const started = startDevnet({ data, until: 'what is never said', boundMs: 8_000 });
    const failed = expect(started).rejects.toThrow('what is never said');
    await eventually('the devnet to have processes', async () => processesOf(data).length > 0);
    await failed;
    expect(processesOf(data)).toEqual([]);
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}, 60_000);
