/** `causeway evidence`: what a validator can prove about others. */
import { defineCommand } from '#cli/command.ts';
import { RpcError, rpcRequest } from '#cli/devnet/rpc.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import { formatTable } from '#cli/io.ts';
import {
  defaultedOption,
  optionalOption,
  parseAddressOption,
  parseUrl,
  parseWholeNumber,
} from '#cli/options.ts';

const DEFAULT_URL = 'http://127.0.0.1:8545';

/** What the text shows of a piece; `--json` passes everything on as the node gave it. */
type Piece = {
  readonly kind: string;
  readonly height: string;
  readonly round?: string;
  readonly offender?: string;
  readonly offenders?: readonly string[];
  readonly typedData: { readonly primaryType: string };
};

const ask = async (url: string, filter: unknown): Promise<readonly Piece[]> => {
  try {
    return await rpcRequest<readonly Piece[]>(url, 'causeway_evidence', [filter]);
  } catch (error) {
    const isRefusal = error instanceof RpcError;
    throw new CliError(isRefusal ? `${url} refused: ${error.message}` : `${url} does not answer`, {
      code: isRefusal ? 'REFUSED' : 'UNREACHABLE',
      exitCode: isRefusal ? EXIT.denied : EXIT.unreachable,
      hint: 'validators keep evidence: name the RPC of a running one with --rpc',
      cause: error,
    });
  }
};

const rowOf = ({ kind, height, round, offender, offenders, typedData }: Piece): readonly string[] => [
  `height ${BigInt(height)}`,
  round === undefined ? '' : `round ${BigInt(round)}`,
  kind === 'conflictingCommit' ? 'two certificates' : `two ${typedData.primaryType.toLowerCase()}s`,
  offender ?? (offenders?.length ? offenders.join(', ') : 'more than 1/3 of the power'),
];

export const evidenceCommand = defineCommand({
  path: ['evidence'],
  summary: 'who signed two messages where one is allowed, with the proof',
  description:
    'Asks a validator what misbehaviour it can prove: duplicate votes and proposals, and two certificates for one height. With --json each piece is complete: typed data and signatures, as contracts and EIP-712 tools take them.',
  examples: ['evidence --rpc http://127.0.0.1:8545', 'evidence --from-height 1000 --json'],
  options: {
    rpc: defaultedOption(
      '--rpc <url>',
      'JSON-RPC endpoint of a validator',
      parseUrl,
      DEFAULT_URL,
      'CAUSEWAY_RPC_URL',
    ),
    offender: optionalOption('--offender <address>', 'only what convicts this validator', parseAddressOption),
    fromHeight: optionalOption('--from-height <height>', 'only from this height on', parseWholeNumber),
  },
  run: async ({ rpc, offender, fromHeight }) => {
    const from = fromHeight === undefined ? null : `0x${fromHeight.toString(16)}`;
    const pieces = await ask(rpc, { offender: offender ?? null, fromHeight: from, limit: 1_000 });
    const text = pieces.length === 0 ? 'no evidence' : formatTable(pieces.map(rowOf));
    return { data: pieces, text };
  },
});
