import { deployPeg } from '#bridge/deployment/deployPeg.ts';
import { verifyDeployment } from '#bridge/deployment/verifyDeployment.ts';
import { type Anvil, startAnvil } from '#test/contracts/fixtures/anvil.ts';
import { connectChain, type TestChain } from '#test/contracts/fixtures/chain.ts';
import { createPeg, deployOn, L1_CHAIN_ID } from '#test/contracts/fixtures/peg.ts';

let anvil: Anvil;
let chain: TestChain;

beforeAll(async () => {
  anvil = await startAnvil(L1_CHAIN_ID);
  chain = connectChain(anvil.url, L1_CHAIN_ID);
});
afterAll(() => anvil.stop());

test('deploys at the predicted addresses, and the result is what a local replay says', async () => {
  const peg = createPeg();
  const deployed = await deployOn(chain, peg);
  const verdict = await verifyDeployment({
    publicClient: chain.client,
    manifest: peg.manifest,
    mode: 'fresh',
  });
  expect(verdict).toMatchObject({ ok: true, deploymentBlock: deployed.deploymentBlock });
});
void deployPeg;
