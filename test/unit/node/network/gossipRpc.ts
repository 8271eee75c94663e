/** Gossipsub by hand: one RPC with one batch, framed as gossipsub frames it. */
import { concatBytes } from '#consensus/primitives.ts';
import type { ConsensusDomain } from '#consensus/types.ts';

export const GOSSIP_PROTOCOL = '/meshsub/1.2.0';

const varint = (value: number): Uint8Array => {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 128) return Uint8Array.from([...bytes, rest]);
    bytes.push((rest & 127) | 128);
  }
};
const field = (number: number, body: Uint8Array): Uint8Array =>
  concatBytes(varint((number << 3) | 2), varint(body.length), body);

export const gossipRpc = ({ chainId, genesisHash }: ConsensusDomain, batch: Uint8Array): Uint8Array => {
  const topic = new TextEncoder().encode(`/causeway/${chainId}/${genesisHash.slice(2, 18)}/transactions/1`);
  const rpc = field(2, concatBytes(field(2, batch), field(4, topic)));
  return concatBytes(varint(rpc.length), rpc);
};
