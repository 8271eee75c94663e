/** A specification like the devnet's, from fixed keys: the golden hash depends on every line. */
import { parseAddress } from '#consensus/primitives.ts';
import type { PredeployCode } from '#genesis/predeployCode.ts';
import { PREDEPLOYS } from '#genesis/predeploys.ts';
import type { SpecJson } from '#genesis/specFile.ts';

export const EXAMPLE_SPEC_JSON = {
  version: '1',
  name: 'example',
  chainId: '42424',
  l1ChainId: '31337',
  timestamp: '1700000000',
  epochLength: '100',
  blockGasLimit: '30000000',
  importGas: '12000000',
  feePolicy: { mode: 'fixed', baseFeeWei: '1000000000' },
  validators: [
    {
      name: 'validator-1',
      address: '0x1111111111111111111111111111111111111111',
      power: '1',
      peerId: '12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5',
    },
    {
      name: 'validator-2',
      address: '0x2222222222222222222222222222222222222222',
      power: '1',
      peerId: '12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq',
    },
    {
      name: 'validator-3',
      address: '0x3333333333333333333333333333333333333333',
      power: '1',
      peerId: '12D3KooWRndVhVZPCiQwHBBBdg769GyrPUW13zxwqQyf9r3ANaba',
    },
    {
      name: 'validator-4',
      address: '0x4444444444444444444444444444444444444444',
      power: '1',
      peerId: '12D3KooWPT98FXMfDQYavZm66EeVjTqP9Nnehn1gyaydqV8L8BQw',
    },
  ],
  relayerThreshold: '2',
  relayers: [
    {
      name: 'relayer-1',
      address: '0x5555555555555555555555555555555555555555',
      peerId: '12D3KooWHFd1gyNYFqxt7ke9FY2VoVVWY2XSPhvL9vg2pB6wQGfa',
    },
    {
      name: 'relayer-2',
      address: '0x6666666666666666666666666666666666666666',
      peerId: '12D3KooWK98A5qKRAA9qZccvoJLvcLu68PCFZLNfdd81iQLvHj6W',
    },
    {
      name: 'relayer-3',
      address: '0x7777777777777777777777777777777777777777',
      peerId: '12D3KooWRawPbxPtP1eZaJpumGnyWX2DcUyd3RQnydr3eAto4Az7',
    },
  ],
  governors: [
    { name: 'organisation-1', address: '0xa111111111111111111111111111111111111111' },
    { name: 'organisation-2', address: '0xa222222222222222222222222222222222222222' },
    { name: 'organisation-3', address: '0xa333333333333333333333333333333333333333' },
    { name: 'organisation-4', address: '0xa444444444444444444444444444444444444444' },
  ],
  balances: [
    { address: '0x8888888888888888888888888888888888888888', amountWei: '100000000000000000000' },
    { address: '0x9999999999999999999999999999999999999999', amountWei: '1' },
  ],
  deployer: '0xdddddddddddddddddddddddddddddddddddddddd',
} satisfies SpecJson;

/** Stands in for compiled contracts, whose bytes may change while their slots do not. */
export const EXAMPLE_CODE: readonly PredeployCode[] = [
  { address: PREDEPLOYS.validatorSet, code: Uint8Array.of(0x60, 0x00) },
  { address: PREDEPLOYS.pegGateway, code: Uint8Array.of(0x60, 0x01) },
  { address: PREDEPLOYS.governance, code: Uint8Array.of(0x60, 0x02) },
  { address: PREDEPLOYS.upgradePlan, code: Uint8Array.of(0x60, 0x03) },
  { address: parseAddress('0x4e59b44847b379578588920ca78fbf26c0b4956c'), code: Uint8Array.of(0x00) },
];
