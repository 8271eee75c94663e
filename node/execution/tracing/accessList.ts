/** eth_createAccessList: what a call touches, found by running it again until the list no longer grows. */
import { type Address, parseAddress, parseHash, ZERO_ADDRESS } from '#consensus/primitives.ts';
import type { CallOutcome, CallRequest } from '#node/chain.ts';
import { type CallContext, callGas, execute, type Watch } from '#node/execution/runCall.ts';
import { serverRefusal } from '#node/execution/tracing/jobs.ts';

type AccessList = NonNullable<CallRequest['accessList']>;

/** geth's loop has no bound; each run adds at least one entry, and gas bounds the entries. */
const MAX_RUNS = 16;

const sizeOf = (list: AccessList): number =>
  list.reduce((sum, { storageKeys }) => sum + 1 + storageKeys.length, 0);

/** @throws JobRefusal when the call cannot even start */
export const buildAccessList = async (context: CallContext, request: CallRequest) => {
  let accessList: AccessList = request.accessList ?? [];
  for (let run = 0; run < MAX_RUNS; run++) {
    const { outcome, touched } = await runOnce(context, { ...request, accessList });
    const isStable = touched === null || sizeOf(touched) === sizeOf(accessList);
    if (touched !== null) accessList = touched;
    if (isStable) return answer(outcome, accessList);
  }
  throw serverRefusal(`expected the access list to settle within ${MAX_RUNS} runs, found it still growing`);
};

const answer = (outcome: CallOutcome, accessList: AccessList) => {
  const shown = { accessList, gasUsed: `0x${outcome.gasUsed.toString(16)}` };
  if (outcome.status === 'success') return shown;
  if (outcome.status === 'revert') return { ...shown, error: 'execution reverted' };
  if (outcome.gasUsed === 0n) throw serverRefusal(outcome.message);
  return { ...shown, error: outcome.message };
};

const runOnce = async (context: CallContext, request: CallRequest) => {
  let touched: AccessList | null = null;
  const { evm } = context.machine.vm;
  const excluded = new Set<string>([
    (request.from ?? ZERO_ADDRESS).slice(2),
    ...(request.to == null ? [] : [request.to.slice(2)]),
    ...evm.precompiles.keys(),
  ]);
  const report: Watch = async (_call, run) => {
    evm.journal.startReportingAccessList();
    const result = await run();
    touched = merge(evm.journal.accessList ?? new Map(), request.accessList ?? [], excluded);
    delete evm.journal.accessList;
    return result;
  };
  const { outcome } = await execute(context, request, callGas(request), report);
  return { outcome, touched: touched as AccessList | null };
};

/** What the journal saw and what the caller had listed; accounts that are warm anyhow only with slots. */
const merge = (
  seen: ReadonlyMap<string, ReadonlySet<string>>,
  listed: AccessList,
  excluded: ReadonlySet<string>,
): AccessList => {
  const slotsOf = new Map<string, Set<string>>();
  const add = (address: string, slots: Iterable<string>): void => {
    const known = slotsOf.get(address) ?? new Set();
    for (const slot of slots) known.add(slot.replace(/^0x/, ''));
    slotsOf.set(address, known);
  };
  for (const { address, storageKeys } of listed) add(address.slice(2), storageKeys);
  for (const [address, slots] of seen) add(address.replace(/^0x/, ''), slots);
  return [...slotsOf]
    .filter(([address, slots]) => slots.size > 0 || !excluded.has(address))
    .map(([address, slots]): { address: Address; storageKeys: ReturnType<typeof parseHash>[] } => ({
      address: parseAddress(`0x${address}`),
      storageKeys: [...slots].map((slot) => parseHash(`0x${slot.padStart(64, '0')}`)),
    }));
};
