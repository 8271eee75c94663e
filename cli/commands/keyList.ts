/** `causeway key list`: what lies in a folder of keys, without opening any. */
import { defineCommand } from '#cli/command.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import { formatTable } from '#cli/io.ts';
import { parsePath } from '#cli/options.ts';

/** A ceremony's records lie beside the keys. */
const isKeyFile = (name: string): boolean => name.endsWith('.json') && !name.startsWith('signed-');

export const keyList = defineCommand({
  path: ['key', 'list'],
  summary: 'list the keys of a folder',
  description:
    'Shows the address or PeerId of each key file in a folder, and where the key is kept. Opens none.',
  examples: ['key list keys', 'key list keys --json'],
  argument: { name: 'dir', help: 'the folder of keys', parse: parsePath },
  options: {},
  run: async ({ argument: folder }) => {
    const { readdir } = await import('node:fs/promises');
    const { join } = await import('node:path');
    const { readKeyName } = await import('#node/keys/keyFile.ts');
    const { readTokenKey } = await import('#node/keys/pkcs11/reference.ts');
    let entries: string[];
    try {
      entries = (await readdir(folder)).filter(isKeyFile).sort();
    } catch (error) {
      throw new CliError(`cannot read the folder ${folder}: ${(error as Error).message}`, {
        code: 'UNREADABLE',
        exitCode: EXIT.config,
        hint: 'Check the path and its permissions.',
      });
    }
    const keys: { file: string; name: string | null; custody: string }[] = [];
    for (const file of entries) {
      const path = join(folder, file);
      try {
        const tokenKey = await readTokenKey(path);
        const custody = tokenKey === null ? 'keystore' : `token ${tokenKey.token}`;
        keys.push({ file, name: await readKeyName(path), custody });
      } catch (error) {
        keys.push({ file, name: null, custody: `no key file (${(error as { code?: string }).code})` });
      }
    }
    return {
      data: { folder, keys },
      text: formatTable(keys.map(({ file, name, custody }) => [file, name ?? 'does not say', custody])),
    };
  },
});
