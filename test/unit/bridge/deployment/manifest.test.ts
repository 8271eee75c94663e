import { decodeFunctionData, size } from 'viem';
import { pegFactoryAbi } from '#bridge/contracts/artifacts/contracts.ts';
import { DeploymentError } from '#bridge/deployment/errors.ts';
import { createManifest, encodeDeployAll } from '#bridge/deployment/manifest.ts';
import { replayDeployment } from '#bridge/deployment/replay.ts';
import { createPeg } from '#test/contracts/fixtures/peg.ts';

const CREATED = ['vault', 'verifier', 'council', 'timelock', 'escape', 'weth'] as const;

test('the same inputs give the same bytes, and every input changes them', () => {
  const { inputs, manifest } = createPeg();
  expect(createManifest(inputs)).toEqual(manifest);
  const changes = [
    { sidechainId: 1n },
    { epochLength: 7n },
    { genesisHash: manifest.creations[0]!.address.padEnd(66, '0') as never },
    { backedWei: 1n },
    { relayers: { ...inputs.relayers, threshold: 3 } },
    { checkpoint: { ...inputs.checkpoint, stateRoot: inputs.genesisHash } },
  ];
  const encoded = changes.map((change) => encodeDeployAll(createManifest({ ...inputs, ...change })));
  expect(new Set([encodeDeployAll(manifest), ...encoded]).size).toBe(changes.length + 1);
});

test('creates every contract in this order, the vault with the backing', () => {
  const { manifest, inputs } = createPeg();
  const { args } = decodeFunctionData({ abi: pegFactoryAbi, data: encodeDeployAll(manifest) });
  expect(args![1]).toEqual([inputs.backedWei, 0n, 0n, 0n, 0n, 0n]);
  expect(manifest.creations.map(({ name, address }) => [name, address])).toEqual(
    CREATED.map((name) => [name, manifest.addresses[name]]),
  );
  for (const { initCode } of manifest.creations) expect(size(initCode)).toBeLessThan(49_152);
});

test('refuses a genesis checkpoint that names another validator set', () => {
  const { inputs } = createPeg();
  expect(() =>
    createManifest({
      ...inputs,
      checkpoint: { ...inputs.checkpoint, nextValidatorsHash: inputs.genesisHash },
    }),
  ).toThrow(DeploymentError);
});

test('a replay gives code and storage at each predicted address, the same every time', async () => {
  const { manifest } = createPeg();
  const replayed = await replayDeployment(manifest);
  expect(replayed.map(({ name, address }) => [name, address])).toEqual(
    (['factory', ...CREATED] as const).map((name) => [name, manifest.addresses[name]]),
  );
  expect(await replayDeployment(manifest)).toEqual(replayed);
});

test('a replay that the contracts refuse says so', async () => {
  const { manifest } = createPeg();
  await expect(replayDeployment({ ...manifest, backedWei: manifest.backedWei + 1n })).rejects.toMatchObject({
    code: 'REPLAY_FAILED',
  });
});
