import { validatorSetAbi, validatorSetBytecode } from '#genesis/contracts/artifacts/contracts.ts';
import { PREDEPLOYS } from '#genesis/predeploys.ts';
import { validatorListEntries } from '#genesis/validatorSetSlots.ts';
import { type Anvil, startAnvil } from '#test/contracts/fixtures/anvil.ts';
import { connectChain, type TestChain } from '#test/contracts/fixtures/chain.ts';
import { namedKeys } from '#test/contracts/fixtures/keys.ts';
import { SIDECHAIN_ID, setOf } from '#test/contracts/fixtures/peg.ts';

let anvil: Anvil;
let chain: TestChain;

beforeAll(async () => {
  anvil = await startAnvil(SIDECHAIN_ID);
  chain = connectChain(anvil.url, SIDECHAIN_ID);
});
afterAll(() => anvil.stop());

test.each([1, 4, 7])(
  'shows %i active and one more pending validator, and hashes them as the node does',
  async (count) => {
    const address = PREDEPLOYS.validatorSet;
    const active = setOf(namedKeys('validator', count));
    const pending = setOf(
      namedKeys('pending validator', count + 1),
      Array.from({ length: count + 1 }, (_, index) => BigInt(index + 1)),
    );
    await chain.client.setCode({ address, bytecode: validatorSetBytecode.runtime });
    for (const [index, value] of [
      ...validatorListEntries('active', active.validators),
      ...validatorListEntries('pending', pending.validators),
    ])
      await chain.client.setStorageAt({ address, index, value });
    const read = (functionName: 'active' | 'pending' | 'activeHash' | 'pendingHash') =>
      chain.client.readContract({ address, abi: validatorSetAbi, functionName });
    const shown = (list: unknown) =>
      (list as { account: string; power: bigint }[]).map(({ account, power }) => ({
        address: account.toLowerCase(),
        power,
      }));
    expect(shown(await read('active'))).toEqual(active.validators);
    expect(shown(await read('pending'))).toEqual(pending.validators);
    expect(await read('activeHash')).toBe(active.hash);
    expect(await read('pendingHash')).toBe(pending.hash);
  },
);
