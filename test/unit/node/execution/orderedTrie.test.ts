import { createMPT } from '@ethereumjs/mpt';
import { RLP } from '@ethereumjs/rlp';
import { bytesToHash } from '#consensus/primitives.ts';
import { orderedTrieRoot } from '#node/execution/orderedTrie.ts';

test.each([0, 1, 2, 3, 15, 16, 17, 127, 128, 129, 255, 256, 257, 600])(
  'the root of %i values is the trie library’s',
  async (count) => {
    const values = Array.from({ length: count }, (_, index) => new Uint8Array(1 + (index % 70)).fill(index));
    const trie = await createMPT();
    for (const [index, value] of values.entries()) await trie.put(RLP.encode(index), value);
    expect(orderedTrieRoot(values)).toBe(bytesToHash(trie.root()));
  },
);
