/**
 * A ceremony in words for people: what is being agreed on, who holds what, who could do harm together.
 *
 * Owns the content of `verify`, `audit` and the report; how it is laid out is theirs.
 */
import type { Hash } from '#consensus/primitives.ts';
import type { Draft } from '#genesis/ceremony/draft.ts';
import type { EnrolledKey, Enrolment } from '#genesis/ceremony/enrolment.ts';
import { planToLocks } from '#genesis/ceremony/locks.ts';
import type { Opening } from '#genesis/ceremony/open.ts';
import type { Plan } from '#genesis/ceremony/plan.ts';
import type { SealedCeremony } from '#genesis/ceremony/transcript.ts';
import { formatWords } from '#genesis/ceremony/words.ts';
import { MIN_VALIDATORS } from '#genesis/specRules.ts';

export type Section = {
  readonly title: string;
  readonly rows: readonly (readonly [label: string, value: string])[];
};

/** Wei as ETH, exact. */
const eth = (wei: bigint): string => {
  const fraction = (wei % 10n ** 18n).toString().padStart(18, '0').replace(/0+$/, '');
  return `${wei / 10n ** 18n}${fraction === '' ? '' : `.${fraction}`} ETH`;
};

const countValidators = ({ organisations }: Plan): number =>
  organisations.reduce((sum, { validators }) => sum + validators.length, 0);

/** What somebody should stop at. */
export const planWarnings = (plan: Plan): readonly string[] => {
  const { fewestWithBothLocks, fewestToHalt } = planToLocks(plan);
  const validators = countValidators(plan);
  return [
    ...(validators < MIN_VALIDATORS
      ? [
          `Only ${validators} validators: with fewer than ${MIN_VALIDATORS} the chain halts as soon as one fails. The plan accepts this explicitly.`,
        ]
      : []),
    ...(fewestWithBothLocks === 1
      ? ['One organisation alone holds both locks of the peg: it could take everything that is locked.']
      : []),
    ...(fewestToHalt === 1 ? ['One organisation alone can halt the chain.'] : []),
  ];
};

export const describePlan = (plan: Plan): readonly Section[] => {
  const sum = plan.balances.reduce((total, { amountWei }) => total + BigInt(amountWei), 0n);
  return [
    {
      title: 'The network',
      rows: [
        ['Name', plan.name],
        ['Chain', `id ${plan.chainId}, on the L1 with id ${plan.l1ChainId}`],
        ['Begins', new Date(Number(plan.timestamp) * 1_000).toISOString()],
        ['Epoch', `${plan.epochLength} blocks`],
        ['Gas', `${plan.blockGasLimit} a block, ${plan.importGas} more for deposits`],
        ['Base fee', `${plan.feePolicy.baseFeeWei} wei, ${plan.feePolicy.mode}`],
        ['Relayers', `${plan.relayerThreshold} must sign`],
        ['Deployer', `held by ${plan.deployer}`],
        [
          'Balances',
          `${plan.balances.length} accounts, together ${eth(sum)}, which the deployer locks on the L1`,
        ],
      ],
    },
    {
      title: 'The organisations',
      rows: plan.organisations.map(({ name, governanceKey, validators, relayers }) => [
        name,
        [
          `governance ${governanceKey}`,
          ...validators.map((seat) => `validator ${seat.name} with power ${seat.power}`),
          ...relayers.map((seat) => `relayer ${seat.name}`),
        ].join('; '),
      ]),
    },
    {
      title: 'Balances on the first day',
      rows: plan.balances.map(({ address, amountWei }) => [address, eth(BigInt(amountWei))]),
    },
  ];
};

export const describeLocks = (plan: Plan): Section => {
  const locks = planToLocks(plan);
  const of = (count: number): string => `${count} of ${locks.organisations} organisations`;
  return {
    title: 'Who could do harm together',
    rows: [
      [
        'Take what is locked',
        `${of(locks.fewestWithBothLocks)}: more than 2/3 of the votes and ${plan.relayerThreshold} relayers`,
      ],
      ['Halt the chain', `${of(locks.fewestToHalt)}: 1/3 of the votes`],
      ['Stop withdrawals', `${of(locks.fewestToStopRelaying)}: the other relayers are too few to sign`],
      ['Decide on changes', `${of(locks.decidingOrganisations)}, who vote within seven days of a proposal`],
    ],
  };
};

const describeKey = ({ role, key, p2p, exchange }: EnrolledKey): string =>
  [`${role} ${key}`, ...(role === 'node' ? [p2p, exchange].filter(Boolean) : [])].join('  ');

export const describeEnrolments = (enrolments: readonly Enrolment[]): Section => ({
  title: 'The keys, each proven by its holder',
  rows: enrolments.flatMap(({ organisation, document }) =>
    document.keys.map((key): [string, string] => [`${organisation}, ${key.seat}`, describeKey(key)]),
  ),
});

export const describeDraft = ({ document, draftHash, genesis }: Draft): readonly Section[] => [
  {
    title: 'What follows from it',
    rows: [
      ['Draft hash', draftHash],
      ['Genesis hash', genesis.genesisHash],
      ['Specification hash', genesis.specHash],
      ['State root', genesis.stateRoot],
      ['Tool', `release ${document.release}`],
      ...Object.entries(genesis.l1).map(([name, address]): [string, string] => [`L1 ${name}`, address]),
    ],
  },
  {
    title: 'Contract code',
    rows: [
      ...(document.predeployCode as { address: string; hash: string }[]).map(
        ({ address, hash }): [string, string] => [`sidechain ${address}`, hash],
      ),
      ...(document.l1Code as { name: string; hash: string }[]).map(({ name, hash }): [string, string] => [
        `L1 ${name}`,
        hash,
      ]),
    ],
  },
];

export const describeOpening = (opening: Opening): readonly Section[] => [
  ...describePlan(opening.plan),
  describeLocks(opening.plan),
];

export const describeSealed = ({
  opening,
  draft,
  approvals,
  transcriptHash,
}: SealedCeremony): readonly Section[] => [
  {
    title: 'The ceremony',
    rows: [
      ['Opened', opening.document.at],
      ['Opening hash', opening.openHash],
      ['Transcript hash', transcriptHash],
    ],
  },
  ...describeOpening(opening),
  describeEnrolments(draft.enrolments),
  ...describeDraft(draft),
  {
    title: 'Approved by',
    rows: approvals.map(({ document }): [string, string] => [document.organisation, document.at]),
  },
];

/** For paper and terminals. */
export const sectionsToText = (sections: readonly Section[]): string =>
  sections
    .filter(({ rows }) => rows.length > 0)
    .map(({ title, rows }) => {
      const width = Math.max(...rows.map(([label]) => label.length));
      return [title, ...rows.map(([label, value]) => `  ${label.padEnd(width)}  ${value}`)].join('\n');
    })
    .join('\n\n');

export const wordsSection = (title: string, hash: Hash): string =>
  `${title}\n${formatWords(hash)
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n')}`;
