/**
 * Deliberate breakages of single lines, each of which some test must catch.
 *
 * `find` occurs exactly once in its file (`--check` holds that), so that a mutation cannot silently lose its target
 * when the code moves on. Choose breakages that are wrong, not merely different.
 */
export type Mutation = {
  /** What goes wrong. */
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
};

const inFile = (
  file: string,
  rows: readonly (readonly [name: string, find: string, replace: string])[],
): readonly Mutation[] => rows.map(([name, find, replace]) => ({ name, file, find, replace }));

export const MUTATIONS: readonly Mutation[] = [
  ...inFile('consensus/roundMachine.ts', [
    ['a start goes back to an earlier round', 'input.round > state.round ?', 'input.round !== state.round ?'],
    ['a decided height goes on', "if (state.step === 'decided') return unchanged(state);", ''],
    [
      'line 23 forgets the lock',
      'locked === null || locked.valueId === valueId;\n  return prevote(state, valueId !== null',
      'true;\n  return prevote(state, valueId !== null',
    ],
    ['line 28 takes a polRound of its own round', 'polRound >= state.round', 'polRound > state.round'],
    ['line 29 unlocks by an older polka', 'locked.round <= polRound', 'locked.round >= polRound'],
    ['line 29 does not unlock by an equal round', 'locked.round <= polRound', 'locked.round < polRound'],
    [
      'line 34 schedules every time',
      "state.step !== 'prevote' || state.prevoteTimeoutScheduled",
      "state.step !== 'prevote'",
    ],
    [
      'line 36 does not lock',
      'return precommit({ ...state, valid, locked: polka }, polka.valueId);',
      'return precommit({ ...state, valid }, polka.valueId);',
    ],
    [
      'line 36 locks in step precommit too',
      "if (polka.round < state.round || state.step !== 'prevote') return unchanged({ ...state, valid });",
      'if (polka.round < state.round) return unchanged({ ...state, valid });',
    ],
    [
      'line 42 takes an older valid value',
      'state.valid.round < polka.round ? polka',
      'state.valid.round > polka.round ? polka',
    ],
    [
      'line 44 precommits nil before its prevote',
      "return state.step === 'prevote' ? precommit(state, NIL) : unchanged(state); // lines 44–46",
      'return precommit(state, NIL);',
    ],
    [
      'line 47 schedules every time',
      "!isStepAtLeast(state, 'propose') || state.precommitTimeoutScheduled",
      "!isStepAtLeast(state, 'propose')",
    ],
    ['line 57 fires for another round', 'if (round !== state.round) return unchanged(state);', ''],
    [
      'line 65 stays in its round',
      'return startRound(state, round + 1);',
      'return startRound(state, round);',
    ],
    [
      'a new round keeps the scheduled flags',
      "    step: 'propose', // line 13\n    prevoteTimeoutScheduled: false,",
      "    step: 'propose', // line 13",
    ],
    [
      'a precommit of before a restart does not lock',
      "voteType === 'precommit' && valueId !== NIL ? raiseLock",
      "voteType === 'prevote' && valueId !== NIL ? raiseLock",
    ],
    [
      'an older vote of before a restart lowers the lock',
      'locked: state.locked === null || state.locked.round < lock.round ? lock : state.locked,',
      'locked: lock,',
    ],
  ]),
  ...inFile('consensus/voteKeeper.ts', [
    [
      'votes far ahead are kept without a bound',
      'if (ahead.includes(round) || ahead.length < AHEAD_ROUNDS) return keeper;',
      'return keeper;',
    ],
    [
      'old rounds are never forgotten',
      'round >= horizon.round - KEPT_ROUNDS || horizon.pinned.includes(round)',
      'round >= 0',
    ],
    ['pinned rounds are forgotten', ' || horizon.pinned.includes(round);', ';'],
    ['line 55 skips for one validator', 'if (isHonestMinority(set, power)) return at;', 'return at;'],
    [
      'line 55 skips to the highest round heard',
      '.sort(([, a], [, b]) => b - a);',
      '.sort(([, a], [, b]) => b - a).map(([v], _, all) => [v, all[0]![1]] as const);',
    ],
    [
      'hearing goes back',
      'round <= (keeper.highest.get(validator) ?? -1)',
      'round === (keeper.highest.get(validator) ?? -1)',
    ],
  ]),
  ...inFile('consensus/tally.ts', [
    [
      'a second vote counts in the total',
      'power: tally.power + power,\n      },\n      conflict: null,',
      'power: tally.power + power + power,\n      },\n      conflict: null,',
    ],
    [
      'the same vote again is a conflict',
      'if (first.valueId === vote.valueId) return { tally: withHint(tally, first, vote), conflict: null };',
      '',
    ],
    [
      'an equivocator is reported every time',
      'conflict: others.length === 0 ? { first, second: vote } : null,',
      'conflict: { first, second: vote },',
    ],
    [
      'an equivocator fills memory',
      'others.length === 0 || isSupported(powerFor(tally, vote.valueId))',
      'true',
    ],
    [
      "an equivocator's second vote is ignored",
      'extra: [...tally.extra, vote],\n      powerByValue: addPower(tally, vote.valueId, power),',
      'extra: [...tally.extra, vote],',
    ],
  ]),
  ...inFile('consensus/driver.ts', [
    [
      'nil is decided',
      'for (const [valueId, power] of precommit.powerByValue)\n      if (valueId !== NIL && isQuorum(context.set, power))',
      'for (const [valueId, power] of precommit.powerByValue)\n      if (isQuorum(context.set, power))',
    ],
    [
      'more than 1/3 decides',
      'if (valueId !== NIL && isQuorum(context.set, power))',
      'if (valueId !== NIL && isHonestMinority(context.set, power))',
    ],
    [
      'a validator that does not propose builds',
      'if (proposerAt(context.set, context.height, round.round) !== context.self) return null;',
      '',
    ],
    [
      'line 16 proposes afresh',
      'if (round.valid !== null) {',
      'if (false as boolean && round.valid !== null) {',
    ],
    ['a proposer signs twice', 'state: { ...state, proposedRound: round },', 'state,'],
    [
      'line 22 does not ask for the verdict',
      'const needsVerdict = locked === null && !hasAnyPolka(state, value.valueId);',
      'const needsVerdict = false;',
    ],
    [
      'line 22 judges what is locked',
      'const needsVerdict = locked === null && !hasAnyPolka(state, value.valueId);',
      'const needsVerdict = true;',
    ],
    ['line 28 does without the polka', 'hasPolka(state, polRound, valueId) && isHere', 'isHere'],
    [
      'line 28 does without the payload',
      'hasPolka(state, polRound, valueId) && isHere',
      'hasPolka(state, polRound, valueId)',
    ],
    [
      'line 36 locks what is not here',
      'if (valueId !== null && payloadOf(state, valueId) !== null)\n      return advance',
      'if (valueId !== null)\n      return advance',
    ],
    ['a late polka is not followed', '(at < round.round || isStepAtLeast(round,', '(isStepAtLeast(round,'],
    [
      'a value with f+1 votes is not fetched',
      'if (valueId === NIL || !isHonestMinority(set, power) || payloadOf(state, valueId) !== null) continue;',
      'continue;',
    ],
    [
      'a lock found at the start is not fetched',
      'payloadOf(state, restoredLock.valueId) === null\n',
      'false\n',
    ],
    [
      'a request goes out again and again',
      'asked: noteAsked(state.asked, request, state.round.round)',
      'asked: state.asked',
    ],
    [
      'old verdicts are never forgotten',
      'accepted: state.accepted.filter((verdict) => verdict.round >= round),',
      '',
    ],
    ['a follower signs', 'if (!isSelfMember(state)) return [];', ''],
  ]),
  ...inFile('consensus/heightMachine.ts', [
    [
      "another height's votes count",
      'if (vote.height !== height || power === 0n) return unchanged(state);',
      'if (power === 0n) return unchanged(state);',
    ],
    ['anybody proposes', 'if (proposerAt(set, height, round) !== proposer) return unchanged(state);', ''],
    [
      'a malformed proposal is taken (scenario 8)',
      'if (proposal.height !== height || !isWellFormedProposal(proposal)) return unchanged(state);',
      'if (proposal.height !== height) return unchanged(state);',
    ],
    [
      'a certificate of strangers is taken (scenario 9)',
      'certificate.height === height && checkCertificateMembers(set, certificate).valid',
      'certificate.height === height',
    ],
    ['a negative verdict accepts', 'const isNews = accepted && round', 'const isNews = round'],
    [
      'our own vote does not bind us',
      'vote.validator === self ? then(counted, (next) => adoptVote(next, vote)) : counted',
      'counted',
    ],
    [
      'a proposal of before a restart is forgotten',
      'const proposedRound = Math.max(state.proposedRound, proposal.round);',
      'const proposedRound = state.proposedRound;',
    ],
  ]),
  ...inFile('consensus/certificate.ts', [
    [
      'a duplicate signer counts twice',
      "if (order === 0) return refuse('DUPLICATE_SIGNER',",
      "if (order === 5) return refuse('DUPLICATE_SIGNER',",
    ],
    ['signers come in any order', 'if (order > 0)', 'if (order > 5)'],
    ['a stranger is let by', 'if (signerPower === 0n)', 'if (signerPower === -1n)'],
    ['a bad signature is let by', 'if (signer !== validator)', 'if (signer === null)'],
    ['a quorum is not asked for', 'if (!isQuorum(set, power))', 'if (power === 0n)'],
    [
      'a certificate for nil is valid',
      'if (valueId === NIL) return refuse',
      'if (height === 0n) return refuse',
    ],
    [
      'a certificate of another height serves',
      'if (expected.height !== undefined && height !== expected.height)',
      'if (expected.height !== undefined && height < expected.height)',
    ],
    ['signers are left unsorted', '.sort((a, b) => compareHex(a.validator, b.validator)),', ','],
  ]),
  ...inFile('consensus/validatorSet.ts', [
    ['exactly 2/3 is a quorum', '3n * power > 2n * set.totalPower', '3n * power >= 2n * set.totalPower'],
    [
      'exactly 1/3 is an honest minority',
      '=> 3n * power > set.totalPower',
      '=> 3n * power >= set.totalPower',
    ],
  ]),
  ...inFile('consensus/authenticate.ts', [
    [
      'a fresh proposal may name a value (RULES 8)',
      'polRound === -1 ? valueId === NIL :',
      'polRound === -1 ?  true :',
    ],
    ['a polRound may be of its own round', 'polRound < round && valueId', 'polRound <= round && valueId'],
  ]),
  ...inFile('consensus/crypto/secp256k1.ts', [
    ['a high s is taken (scenario 18)', '|| !isLowS(bytes.subarray(32, 64))', ''],
    ['any v is taken (scenario 18)', '(v !== 27 && v !== 28)', '(v === undefined)'],
  ]),
  ...inFile('consensus/proposalKeeper.ts', [
    [
      'proposals far ahead are kept without a bound',
      'if (ahead.length > AHEAD_ROUNDS)',
      'if (ahead.length > 100_000)',
    ],
    [
      'the second proposal replaces the first',
      '{ first, isConflictReported: true }',
      '{ first: second, isConflictReported: true }',
    ],
  ]),
  ...inFile('node/consensus/guard.ts', [
    ['the guard goes back', 'if (order < 0)', 'if (order < -1_000_000)'],
    [
      'another digest for one step is signed',
      'if (state.signature !== null && state.digest === request.digest) return state.signature;\n    throw',
      'if (state.signature !== null) return state.signature;\n    throw',
    ],
    [
      'an equal request is refused',
      'state.signature !== null && state.digest === request.digest',
      'state.signature === null && state.digest === request.digest',
    ],
    [
      'a height that peers knew more of is signed',
      'if (state.learned && state.height === request.height)',
      'if (state.learned && state.height > request.height)',
    ],
    [
      'the lock is left without a polka (RULES 13)',
      'if (polkaRound === null || polkaRound < lock.round)',
      'if (polkaRound !== null && polkaRound < lock.round)',
    ],
    [
      'the lock is left by an older polka (RULES 13)',
      'if (polkaRound === null || polkaRound < lock.round)',
      'if (polkaRound === null)',
    ],
    [
      'a precommit needs no polka of its round',
      "if (step === 'precommit' && polkaRound !== round)",
      "if (step === 'precommit' && polkaRound === undefined)",
    ],
    [
      'a precommit for nil drops the lock',
      "const lock = step === 'precommit' && valueId !== null ? { round, valueId } : kept;",
      "const lock = step === 'precommit' ? (valueId === null ? null : { round, valueId }) : kept;",
    ],
    [
      'the lock of the height before is kept',
      'const kept = state.height === height ? state.lock : null;\n  const lock = step',
      'const kept = state.lock;\n  const lock = step',
    ],
    [
      'rounds are compared before heights',
      'if (a.height !== b.height) return a.height < b.height ? -1 : 1;',
      '',
    ],
    [
      'a broken slot counts',
      'if (crc32(slice(0, SLOT_BYTES - 4)) !== view.getUint32(SLOT_BYTES - 4)) return null;',
      '',
    ],
    ['a signature leaves before it is synced (RULES 12)', 'await file.sync();\n    } catch', '} catch'],
    ['both slots are the same place', 'SLOT_OFFSETS[Number((sequence + 1n) % 2n)]!', 'SLOT_OFFSETS[0]'],
    [
      'another validator’s guard is used',
      'found.genesisHash === owner.genesisHash && found.validator === owner.validator',
      'found.genesisHash === owner.genesisHash',
    ],
  ]),
  ...inFile('node/consensus/wal.ts', [
    [
      'a record is taken without its checksum',
      'return isWhole ? { body, durable: view.getBigUint64(at + 4), end } : null;',
      'return { body, durable: view.getBigUint64(at + 4), end };',
    ],
    [
      'a torn tail counts as corruption',
      'if (durable > BigInt(badAt) && durable <= BigInt(at)',
      'if (durable <= BigInt(at)',
    ],
    [
      'corruption counts as a torn tail',
      "if (wasDurable(image, at)) throw corrupt(name, at, 'a broken record');",
      '',
    ],
    ['a torn tail is not cut off', 'await file.truncate(contents.endBytes);', ''],
    [
      'a sync does not sync',
      'await open.file!.sync();\n    open.durableBytes = end;',
      'open.durableBytes = end;',
    ],
    [
      'records say that they are durable too early',
      'frameRecord(encodeWalRecord(record), log.durableBytes, log.salt)',
      'frameRecord(encodeWalRecord(record), log.sizeBytes + log.pendingBytes, log.salt)',
    ],
    [
      'the log of another chain is read',
      'header.height !== height || header.genesisHash !== genesisHash',
      'header.height !== height',
    ],
    ['old logs are never removed', 'if (old !== null && old + 1n < height) await disk.remove(name);', ''],
    ['the log of the height before is removed', 'old + 1n < height', 'old < height'],
    ['writing goes on after an error', 'if (broken !== null) throw broken;\n    try {', 'try {'],
  ]),
  ...inFile('node/consensus/lookBack.ts', [
    ['it signs below where peers work', 'if (this.isBehind(set, height, nowMs)) return false;', ''],
    [
      'peers that did not say where they are count',
      '(this.#heights.get(validator) ?? height + 1n) <= height',
      '(this.#heights.get(validator) ?? 0n) <= height',
    ],
    [
      'peers that work above count',
      '(this.#heights.get(validator) ?? height + 1n) <= height',
      'this.#heights.has(validator)',
    ],
    [
      'an old guard is content with one answer',
      'return !isOld && firstMs !== null',
      'return firstMs !== null',
    ],
    ['answers outlive the set', 'set.hash === before.setHash && !isCaughtUp', '!isCaughtUp'],
  ]),
];
