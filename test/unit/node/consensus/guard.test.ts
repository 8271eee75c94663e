import { type Hash, type Signature, ZERO_HASH } from '#consensus/primitives.ts';
import { NIL } from '#consensus/types.ts';
import {
  GUARD_FILE,
  GuardError,
  type GuardRequest,
  type GuardStep,
  guardToVote,
  initialiseGuard,
  openGuard,
  type SignGuard,
} from '#node/consensus/guard.ts';
import { startGuard } from '#node/consensus/guardStart.ts';
import { DOMAIN } from '#test/sim/cluster/cluster.ts';
import { hashOf, KEYS } from '#test/sim/cluster/samples.ts';
import { TearingDisk } from '#test/sim/cluster/tearingDisk.ts';

const OWNER = { validator: KEYS[0]!.address, genesisHash: DOMAIN.genesisHash };
const signatureOf = (byte: number): Signature =>
  `0x${byte.toString(16).padStart(2, '0').repeat(64)}1b` as Signature;

const request = (
  height: bigint,
  round: number,
  step: GuardStep,
  digest: Hash,
  valueId: Hash | null = null,
  polkaRound: number | null = null,
): GuardRequest => ({ height, round, step, digest, valueId, polkaRound });

const sign = (byte: number) => async (): Promise<Signature> => signatureOf(byte);
const mustNotSign = async (): Promise<Signature> => {
  throw new Error('the signer was asked');
};

const fresh = async (disk = new TearingDisk()): Promise<{ disk: TearingDisk; guard: SignGuard }> => ({
  disk,
  guard: await initialiseGuard(disk, OWNER),
});

const refusal = (guard: SignGuard, asked: GuardRequest): Promise<string> =>
  guard.release(asked, mustNotSign).then(
    () => 'signed',
    (error: unknown) => (error instanceof GuardError ? error.code : String(error)),
  );

test('goes back neither in height, nor in round, nor in step', async () => {
  const { guard } = await fresh();
  await guard.release(request(5n, 3, 'prevote', hashOf(1)), sign(1));
  expect(await refusal(guard, request(4n, 9, 'precommit', hashOf(2)))).toBe('GUARD_BACKWARD');
  expect(await refusal(guard, request(5n, 2, 'precommit', hashOf(2)))).toBe('GUARD_BACKWARD');
  expect(await refusal(guard, request(5n, 3, 'proposal', hashOf(2)))).toBe('GUARD_BACKWARD');
});

test('refuses another digest for the same height, round and step', async () => {
  const { guard } = await fresh();
  await guard.release(request(5n, 0, 'prevote', hashOf(1)), sign(1));
  expect(await refusal(guard, request(5n, 0, 'prevote', hashOf(2)))).toBe('GUARD_CONFLICT');
});

test('refuses everything at the place where it was initialised', async () => {
  const { guard } = await fresh();
  expect(await refusal(guard, request(0n, 0, 'proposal', ZERO_HASH))).toBe('GUARD_CONFLICT');
});

test('a prevote for another value than the lock needs a polka from a round not below it (RULES 13)', async () => {
  const { guard } = await fresh();
  await guard.release(request(5n, 2, 'precommit', hashOf(1), hashOf(0xaa), 2), sign(1));
  expect(await refusal(guard, request(5n, 3, 'prevote', hashOf(2), hashOf(0xbb)))).toBe('GUARD_LOCKED');
  expect(await refusal(guard, request(5n, 3, 'prevote', hashOf(2), hashOf(0xbb), 1))).toBe('GUARD_LOCKED');
  expect(await guard.release(request(5n, 3, 'prevote', hashOf(2), hashOf(0xbb), 2), sign(2))).toBe(
    signatureOf(2),
  );
});

test('a precommit for a value needs the polka of its own round', async () => {
  const { guard } = await fresh();
  expect(await refusal(guard, request(5n, 2, 'precommit', hashOf(1), hashOf(0xaa)))).toBe('GUARD_LOCKED');
  expect(await refusal(guard, request(5n, 2, 'precommit', hashOf(1), hashOf(0xaa), 1))).toBe('GUARD_LOCKED');
});

test('the lock outlives nil precommits, restarts, and ends with its height', async () => {
  const { disk, guard } = await fresh();
  await guard.release(request(5n, 0, 'precommit', hashOf(1), hashOf(0xaa), 0), sign(1));
  await guard.release(request(5n, 1, 'precommit', hashOf(2)), sign(2));
  disk.crash();
  const again = (await openGuard(disk, OWNER))!;
  expect(again.state().lock).toEqual({ round: 0, valueId: hashOf(0xaa) });
  expect(await refusal(again, request(5n, 2, 'prevote', hashOf(3), hashOf(0xbb)))).toBe('GUARD_LOCKED');
  expect(await again.release(request(6n, 0, 'prevote', hashOf(4), hashOf(0xbb)), sign(4))).toBe(
    signatureOf(4),
  );
  expect(again.state().lock).toBeNull();
});

test('the signature is durable before it is released: after a crash the same digest gets the same signature (RULES 12)', async () => {
  const { disk, guard } = await fresh();
  expect(await guard.release(request(5n, 0, 'prevote', hashOf(1)), sign(1))).toBe(signatureOf(1));
  disk.crash();
  const again = (await openGuard(disk, OWNER))!;
  expect(await again.release(request(5n, 0, 'prevote', hashOf(1)), mustNotSign)).toBe(signatureOf(1));
  expect(await refusal(again, request(5n, 0, 'prevote', hashOf(2)))).toBe('GUARD_CONFLICT');
});

test('the newest vote can be repeated from the guard alone, for a value or for nil; a proposal cannot', async () => {
  const { disk, guard } = await fresh();
  const reopened = async () => guardToVote((await openGuard(disk.copy(), OWNER))!.state(), OWNER.validator);
  expect(await reopened()).toBeNull();
  await guard.release(request(5n, 1, 'proposal', hashOf(1)), sign(1));
  expect(await reopened()).toBeNull();
  await guard.release(request(5n, 1, 'prevote', hashOf(2), hashOf(0xaa)), sign(2));
  const vote = { height: 5n, round: 1, validator: OWNER.validator, payloadHash: null };
  expect(await reopened()).toEqual({
    ...vote,
    type: 'prevote',
    valueId: hashOf(0xaa),
    signature: signatureOf(2),
  });
  await guard.release(request(5n, 1, 'precommit', hashOf(3)), sign(3));
  expect(await reopened()).toEqual({ ...vote, type: 'precommit', valueId: NIL, signature: signatureOf(3) });
});

test('a failing sync releases nothing, and nothing afterwards', async () => {
  const { disk, guard } = await fresh();
  disk.failSync = true;
  await expect(guard.release(request(5n, 0, 'prevote', hashOf(1)), sign(1))).rejects.toMatchObject({
    code: 'GUARD_IO',
  });
  disk.failSync = false;
  expect(await refusal(guard, request(5n, 1, 'prevote', hashOf(1)))).toBe('GUARD_IO');
});

test('a slot torn by a crash leaves the one before, whose successor was never released', async () => {
  const { disk, guard } = await fresh();
  await guard.release(request(5n, 0, 'prevote', hashOf(1)), sign(1));
  await guard.release(request(5n, 0, 'precommit', hashOf(2)), sign(2));
  for (const offset of [0, 4_096]) {
    const copy = disk.copy();
    const bytes = copy.bytes(GUARD_FILE);
    bytes[offset + 100]! ^= 0xff;
    copy.overwrite(GUARD_FILE, bytes);
    const survivor = (await openGuard(copy, OWNER))!;
    expect(survivor.state().step).toBe(offset === 0 ? 'prevote' : 'precommit');
  }
});

test('two broken slots refuse, and so does another key or chain', async () => {
  const { disk } = await fresh();
  await expect(openGuard(disk, { ...OWNER, validator: KEYS[1]!.address })).rejects.toMatchObject({
    code: 'GUARD_FOREIGN',
  });
  await expect(openGuard(disk, { ...OWNER, genesisHash: hashOf(9) })).rejects.toMatchObject({
    code: 'GUARD_FOREIGN',
  });
  disk.overwrite(GUARD_FILE, new Uint8Array(4_323));
  await expect(openGuard(disk, OWNER)).rejects.toMatchObject({ code: 'GUARD_CORRUPT' });
});

test('a guard that was torn while it was made counts as none, and is made again', async () => {
  const { disk, guard } = await fresh();
  await guard.close();
  const whole = (await (await disk.open(GUARD_FILE, { create: false }))!.read()).slice();
  for (const kept of [0, 1, 251]) {
    const torn = new TearingDisk();
    const file = (await torn.open(GUARD_FILE, { create: true }))!;
    await file.write(0, whole.slice(0, kept));
    await file.sync();
    await file.close();
    expect(await openGuard(torn, OWNER)).toBeNull();
    const made = await startGuard(torn, OWNER, 0n);
    expect(made.guard).not.toBeNull();
    await made.guard!.close();
    expect(await openGuard(torn, OWNER)).not.toBeNull();
    expect((await startGuard(torn, OWNER, 3n)).guard).not.toBeNull();
  }
});

test('is never initialised over an existing one', async () => {
  const { disk } = await fresh();
  await expect(initialiseGuard(disk, OWNER)).rejects.toMatchObject({ code: 'GUARD_EXISTS' });
});

test('a missing guard past genesis, by chain or by WAL, means no guard; at genesis a new one', async () => {
  expect(await startGuard(new TearingDisk(), OWNER, 7n)).toMatchObject({
    guard: null,
    reason: expect.stringMatching(/past genesis.*Restore the file/),
  });
  const withWal = new TearingDisk();
  withWal.overwrite('wal-00000000000000000001.log', new Uint8Array(0));
  expect(await startGuard(withWal, OWNER, 0n)).toMatchObject({ guard: null });
  expect(await startGuard(new TearingDisk(), OWNER, 0n)).toMatchObject({ initialised: true });
  const empty = new TearingDisk();
  empty.overwrite(GUARD_FILE, new Uint8Array(0));
  expect(await startGuard(empty, OWNER, 0n)).toMatchObject({ initialised: true });
  const broken = new TearingDisk();
  broken.overwrite(GUARD_FILE, new Uint8Array(4_323));
  expect(await startGuard(broken, OWNER, 0n)).toMatchObject({ guard: null });
});

test('is raised by a newer vote found elsewhere, lock included, and never lowered', async () => {
  const { guard } = await fresh();
  const found = {
    height: 9n,
    round: 4,
    step: 'precommit',
    valueId: hashOf(0xcc),
    digest: hashOf(7),
    signature: signatureOf(7),
    lock: { round: 4, valueId: hashOf(0xcc) },
  } as const;
  await guard.raise(found);
  expect(guard.state()).toEqual(found);
  await guard.raise({ ...found, round: 3, digest: hashOf(8) });
  expect(guard.state()).toEqual(found);
  expect(await refusal(guard, request(9n, 4, 'precommit', hashOf(1)))).toBe('GUARD_CONFLICT');
});

test('a vote that peers had to tell us of ends its height for this key, restarts included', async () => {
  const { disk, guard } = await fresh();
  await guard.raise({
    height: 9n,
    round: 4,
    step: 'prevote',
    valueId: NIL,
    digest: hashOf(7),
    signature: signatureOf(7),
    lock: null,
    learned: true,
  });
  disk.crash();
  const again = (await openGuard(disk, OWNER))!;
  expect(await refusal(again, request(9n, 5, 'prevote', hashOf(1), hashOf(0xbb)))).toBe('GUARD_BACKWARD');
  expect(await again.release(request(10n, 0, 'prevote', hashOf(2), hashOf(0xbb)), sign(2))).toBe(
    signatureOf(2),
  );
});
