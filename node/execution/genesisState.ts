/**
 * Block 0: written into an empty database, compared with an existing one.
 *
 * The state is recomputed from the accounts and must give the root and hash that the genesis names; a data folder of
 * another genesis or format is refused, never converted (RULES 51).
 */
import { Account, Address } from '@ethereumjs/util';
import { type Hash, hexToBytes } from '#consensus/primitives.ts';
import type { Genesis, GenesisAccount } from '#genesis/spec.ts';
import { ChainError } from '#node/chain.ts';
import { OverlayState } from '#node/execution/overlayState.ts';
import { EMPTY_STATE, emptyRoot } from '#node/execution/stateReader.ts';
import { computeStateUpdate, type StateUpdate, stateOperations } from '#node/execution/stateTrie.ts';
import { NO_NODES } from '#node/execution/trieNodes.ts';
import type { ChainStore } from '#node/storage/chainStore.ts';
import { encodeBlock, encodeBody, encodeReceipts, encodeValidators } from '#node/storage/codec.ts';
import type { BatchOperation, Database } from '#node/storage/database.ts';
import { hashHeader } from '#node/storage/headerCodec.ts';
import {
  blockHeightKey,
  blockKey,
  bodyKey,
  FORMAT_KEY,
  FORMAT_VERSION,
  GENESIS_KEY,
  HEAD_KEY,
  heightToBytes,
  receiptsKey,
  validatorsKey,
} from '#node/storage/schema.ts';

const REMEDY =
  'on a devnet run `causeway devnet down --purge`; elsewhere point the node at an empty data folder';

export const computeGenesisState = async (accounts: readonly GenesisAccount[]): Promise<StateUpdate> => {
  const state = new OverlayState(EMPTY_STATE);
  for (const { address, nonce, balanceWei, code, storage } of accounts) {
    const at = new Address(hexToBytes(address));
    await state.putAccount(at, new Account(nonce, balanceWei));
    if (code.length > 0) await state.putCode(at, code);
    for (const [slot, value] of storage) await state.putStorage(at, hexToBytes(slot), hexToBytes(value));
  }
  return computeStateUpdate(state.changes(), NO_NODES, emptyRoot());
};

export const computeGenesisRoot = async (accounts: readonly GenesisAccount[]): Promise<Hash> =>
  (await computeGenesisState(accounts)).stateRoot;

/** @throws ChainError WRONG_DATA_FOLDER */
export const initialiseChain = async (
  database: Database,
  store: ChainStore,
  genesis: Genesis,
): Promise<void> => {
  const format = store.format();
  if (format === null) return writeGenesis(database, genesis);
  if (format !== FORMAT_VERSION)
    throw new ChainError(
      'WRONG_DATA_FOLDER',
      `expected a database of format ${FORMAT_VERSION}, found format ${format}: ${REMEDY}`,
    );
  const found = store.genesisHash();
  if (found !== genesis.genesisHash)
    throw new ChainError(
      'WRONG_DATA_FOLDER',
      `expected the database of genesis ${genesis.genesisHash}, found that of ${found}: ${REMEDY}`,
    );
};

const writeGenesis = async (database: Database, genesis: Genesis): Promise<void> => {
  const update = await computeGenesisState(genesis.accounts);
  requireSame('state root', genesis.stateRoot, update.stateRoot);
  requireSame('genesis hash', genesis.genesisHash, hashHeader(genesis.header));
  const put = (key: Uint8Array, value: Uint8Array): BatchOperation => ({ type: 'put', key, value });
  await database.batch(
    [
      ...stateOperations(update),
      put(
        blockKey(0n),
        encodeBlock({
          header: genesis.header,
          checkpoint: genesis.checkpoint,
          valueId: genesis.valueId,
          certificate: null,
        }),
      ),
      put(bodyKey(0n), encodeBody({ transactions: [], transactionHashes: [] })),
      put(blockHeightKey(genesis.genesisHash), heightToBytes(0n)),
      put(receiptsKey(0n), encodeReceipts([])),
      put(validatorsKey(genesis.validators.hash), encodeValidators(genesis.validators)),
      put(GENESIS_KEY, hexToBytes(genesis.genesisHash)),
      put(HEAD_KEY, heightToBytes(0n)),
      put(FORMAT_KEY, Uint8Array.of(FORMAT_VERSION)),
    ],
    { sync: true },
  );
};

const requireSame = (what: string, expected: Hash, found: Hash): void => {
  if (expected === found) return;
  throw new ChainError(
    'WRONG_DATA_FOLDER',
    `expected ${what} ${expected} as the genesis names it, found ${found}: the genesis file does not follow from its own accounts; build it again`,
  );
};
