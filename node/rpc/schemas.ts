/**
 * JSON Schema (2020-12) of what methods answer, for `rpc_discover`.
 *
 * Owns the named shapes and how they refer to each other. The tests hold every method's results against them, and
 * against those of ethereum/execution-apis.
 */
export type JsonSchema = { readonly [key: string]: unknown };

export const ref = (name: keyof typeof COMPONENTS): JsonSchema => ({
  $ref: `#/components/schemas/${name}`,
});
export const arrayOf = (items: JsonSchema): JsonSchema => ({ type: 'array', items });
export const orNull = (schema: JsonSchema): JsonSchema => ({ anyOf: [schema, { type: 'null' }] });
export const mapOf = (values: JsonSchema): JsonSchema => ({ type: 'object', additionalProperties: values });
/** An object with exactly these fields; those whose name ends in `?` may be absent. */
export const objectOf = (fields: Record<string, JsonSchema>): JsonSchema => ({
  ...openObjectOf(fields),
  additionalProperties: false,
});
/** As `objectOf`, and it may have others. */
export const openObjectOf = (fields: Record<string, JsonSchema>): JsonSchema => ({
  type: 'object',
  required: Object.keys(fields).filter((name) => !name.endsWith('?')),
  properties: Object.fromEntries(
    Object.entries(fields).map(([name, schema]) => [name.replace(/\?$/, ''), schema]),
  ),
});
export const BOOLEAN: JsonSchema = { type: 'boolean' };
export const TEXT: JsonSchema = { type: 'string' };
export const NUMBER: JsonSchema = { type: 'number' };
export const NULL: JsonSchema = { type: 'null' };
export const ANY: JsonSchema = {};

const hex = (title: string, pattern: string): JsonSchema => ({ title, type: 'string', pattern });
const named = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` });
const quantity = named('Quantity');
const data = named('Data');
const hash = named('Hash');
const address = named('Address');

const HEADER_FIELDS = {
  hash: orNull(hash),
  parentHash: hash,
  sha3Uncles: hash,
  miner: orNull(address),
  stateRoot: hash,
  transactionsRoot: hash,
  receiptsRoot: hash,
  logsBloom: named('Bloom'),
  difficulty: quantity,
  number: quantity,
  gasLimit: quantity,
  gasUsed: quantity,
  timestamp: quantity,
  extraData: data,
  mixHash: hash,
  nonce: orNull(hex('8 bytes', '^0x[0-9a-f]{16}$')),
  baseFeePerGas: quantity,
  withdrawalsRoot: hash,
  blobGasUsed: quantity,
  excessBlobGas: quantity,
  parentBeaconBlockRoot: hash,
  requestsHash: hash,
};

export const COMPONENTS = {
  Quantity: hex('hex number without leading zeros', '^0x(0|[1-9a-f][0-9a-f]*)$'),
  Data: hex('bytes in hex', '^0x([0-9a-f]{2})*$'),
  Hash: hex('32 bytes', '^0x[0-9a-f]{64}$'),
  Address: hex('20 bytes', '^0x[0-9a-f]{40}$'),
  Bloom: hex('256 bytes', '^0x[0-9a-f]{512}$'),
  FilterId: hex('filter or subscription', '^0x[0-9a-f]+$'),
  Header: objectOf(HEADER_FIELDS),
  Block: objectOf({
    ...HEADER_FIELDS,
    size: quantity,
    transactions: { anyOf: [arrayOf(hash), arrayOf(named('Transaction'))] },
    uncles: arrayOf(hash),
    withdrawals: arrayOf(ANY),
  }),
  AccessList: arrayOf(objectOf({ address, storageKeys: arrayOf(hash) })),
  Transaction: objectOf({
    blockHash: orNull(hash),
    blockNumber: orNull(quantity),
    blockTimestamp: orNull(quantity),
    transactionIndex: orNull(quantity),
    hash,
    from: address,
    type: { enum: ['0x0', '0x1', '0x2', '0x4'] },
    nonce: quantity,
    gas: quantity,
    gasPrice: quantity,
    to: orNull(address),
    value: quantity,
    input: data,
    v: quantity,
    r: quantity,
    s: quantity,
    'chainId?': quantity,
    'yParity?': quantity,
    'maxFeePerGas?': quantity,
    'maxPriorityFeePerGas?': quantity,
    'accessList?': named('AccessList'),
    'authorizationList?': arrayOf(
      objectOf({ chainId: quantity, address, nonce: quantity, yParity: quantity, r: quantity, s: quantity }),
    ),
  }),
  Log: objectOf({
    address,
    topics: arrayOf(hash),
    data,
    blockNumber: quantity,
    blockHash: hash,
    blockTimestamp: quantity,
    transactionHash: hash,
    transactionIndex: quantity,
    logIndex: quantity,
    removed: BOOLEAN,
  }),
  Receipt: objectOf({
    blockHash: hash,
    blockNumber: quantity,
    transactionHash: hash,
    transactionIndex: quantity,
    type: quantity,
    from: address,
    to: orNull(address),
    contractAddress: orNull(address),
    status: { enum: ['0x0', '0x1'] },
    gasUsed: quantity,
    cumulativeGasUsed: quantity,
    effectiveGasPrice: quantity,
    logsBloom: named('Bloom'),
    logs: arrayOf(named('Log')),
  }),
  Proof: objectOf({
    address,
    accountProof: arrayOf(data),
    balance: quantity,
    codeHash: hash,
    nonce: quantity,
    storageHash: hash,
    storageProof: arrayOf(objectOf({ key: TEXT, value: quantity, proof: arrayOf(data) })),
  }),
  FeeHistory: objectOf({
    oldestBlock: quantity,
    baseFeePerGas: arrayOf(quantity),
    gasUsedRatio: arrayOf(NUMBER),
    'baseFeePerBlobGas?': arrayOf(quantity),
    'blobGasUsedRatio?': arrayOf(NUMBER),
    'reward?': arrayOf(arrayOf(quantity)),
  }),
  ParityTrace: openObjectOf({
    action: { type: 'object' },
    blockHash: hash,
    blockNumber: NUMBER,
    'result?': ANY,
    'error?': TEXT,
    subtraces: NUMBER,
    traceAddress: arrayOf(NUMBER),
    transactionHash: hash,
    transactionPosition: NUMBER,
    type: { enum: ['call', 'create', 'suicide'] },
  }),
  Certificate: objectOf({
    height: quantity,
    round: quantity,
    valueId: hash,
    signatures: arrayOf(objectOf({ validator: address, signature: data })),
  }),
  Checkpoint: objectOf({
    height: quantity,
    blockHash: hash,
    stateRoot: hash,
    outboxRoot: hash,
    outboxCount: quantity,
    importedCount: quantity,
    importedHash: hash,
    nextValidatorsHash: hash,
  }),
} as const satisfies Record<string, JsonSchema>;
