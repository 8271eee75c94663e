/**
 * Where a draft differs from what the plan and the enrolments say, in sentences that need no programmer.
 *
 * `requireSameDraft` is the judgement: equal hashes or none. The sentences only explain it.
 */
import type { CanonicalValue } from '#genesis/canonicalJson.ts';
import { documentToHash } from '#genesis/ceremony/document.ts';
import type { Draft, DraftJson } from '#genesis/ceremony/draft.ts';
import { CeremonyError, printable } from '#genesis/ceremony/errors.ts';

type Json = CanonicalValue | undefined;

const LISTS: Readonly<Record<string, string>> = {
  'genesis.spec.balances': 'balance',
  'genesis.spec.validators': 'validator',
  'genesis.spec.relayers': 'relayer',
  'genesis.spec.governors': 'administrator',
  predeployCode: 'contract on the sidechain',
  l1Code: 'contract on the L1',
  enrolments: 'enrolment',
};

const NAMES: Readonly<Record<string, string>> = {
  release: 'the release of the tool',
  openHash: 'the opening',
  'genesis.genesisHash': 'the genesis hash',
  'genesis.specHash': 'the hash of the specification',
  'genesis.stateRoot': 'the state root',
  'genesis.spec.relayerThreshold': 'how many relayers must sign',
  'genesis.spec.deployer': 'the deployer on the L1',
};

const isObject = (value: Json): value is { readonly [name: string]: CanonicalValue } =>
  typeof value === 'object' && !Array.isArray(value);

const shown = (value: Json): string => {
  if (value === undefined) return 'nothing';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return printable(text.length > 160 ? `${text.slice(0, 157)}…` : text);
};

/** What tells two elements of a list apart. */
const identityOf = (element: CanonicalValue): string => {
  if (!isObject(element)) return shown(element);
  const { address, organisation } = element;
  return shown(address ?? organisation ?? element);
};

const compareLists = (
  kind: string,
  place: string,
  stated: readonly CanonicalValue[],
  rebuilt: readonly CanonicalValue[],
): string[] => {
  const find = (list: readonly CanonicalValue[], identity: string) =>
    list.find((element) => identityOf(element) === identity);
  const identities = [...new Set([...rebuilt, ...stated].map(identityOf))];
  const sentences = identities.flatMap((identity) => {
    const [is, should] = [find(stated, identity), find(rebuilt, identity)];
    if (should === undefined) return [`${kind} ${identity} is in the draft, and nobody agreed on it`];
    if (is === undefined) return [`${kind} ${identity} was agreed on, and is not in the draft`];
    return compare(`${kind} ${identity}`, is, should);
  });
  if (sentences.length > 0 || JSON.stringify(stated) === JSON.stringify(rebuilt)) return sentences;
  return [`${place} has entries twice or in another order`];
};

const compare = (place: string, stated: Json, rebuilt: Json): string[] => {
  if (Array.isArray(stated) && Array.isArray(rebuilt))
    return compareLists(LISTS[place] ?? 'entry', NAMES[place] ?? printable(place), stated, rebuilt);
  if (isObject(stated) && isObject(rebuilt))
    return [...new Set([...Object.keys(rebuilt), ...Object.keys(stated)])].flatMap((name) =>
      compare(
        place === ''
          ? name
          : place in LISTS || place.includes(' ')
            ? `${place}, ${name}`
            : `${place}.${name}`,
        stated[name],
        rebuilt[name],
      ),
    );
  if (stated === rebuilt) return [];
  return [
    `${NAMES[place] ?? printable(place)}: the draft says ${shown(stated)}, rebuilt it is ${shown(rebuilt)}`,
  ];
};

const MAX_SENTENCES = 40;

/** At most 40; empty exactly when both are the same. */
export const describeDifferences = (stated: DraftJson, rebuilt: DraftJson): readonly string[] => {
  if (documentToHash(stated) === documentToHash(rebuilt)) return [];
  const sentences = compare('', stated, rebuilt);
  return sentences.length <= MAX_SENTENCES
    ? sentences
    : [...sentences.slice(0, MAX_SENTENCES), `and ${sentences.length - MAX_SENTENCES} more`];
};

/** @throws CeremonyError DIFFERENT */
export const requireSameDraft = (stated: DraftJson, rebuilt: Draft): void => {
  const sentences = describeDifferences(stated, rebuilt.document);
  if (sentences.length > 0)
    throw new CeremonyError(
      'DIFFERENT',
      `expected the draft ${rebuilt.draftHash} that follows from the plan and the enrolments, found another one:\n${sentences.map((sentence) => `  - ${sentence}`).join('\n')}\n  Do not approve it. Ask who built it, and compare the enrolments.`,
    );
};
