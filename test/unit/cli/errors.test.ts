import { HttpRequestError } from 'viem';
import { DeploymentError } from '#bridge/deployment/errors.ts';
import { CrossingError } from '#bridge/user/errors.ts';
import { CliError, EXIT, toCliError } from '#cli/errors.ts';
import { GenesisError } from '#genesis/errors.ts';
import { ChainError } from '#node/chain.ts';
import { KeyError } from '#node/keys/errors.ts';

const exitOf = (error: unknown): number => toCliError(error).exitCode;

test('exit codes are the ones that are documented', () => {
  expect(EXIT).toEqual({
    ok: 0,
    internal: 1,
    usage: 2,
    config: 3,
    unreachable: 4,
    verification: 5,
    denied: 6,
    timeout: 7,
    guard: 8,
    upgrade: 9,
    stalled: 10,
    interrupted: 130,
  });
});

test('an unknown error is internal, whatever it is', () => {
  for (const error of [new Error('x'), 'text', null, undefined, { code: 'TIMEOUT' }])
    expect(exitOf(error)).toBe(EXIT.internal);
  expect(toCliError(new Error('boom'))).toMatchObject({ code: 'INTERNAL', message: 'boom' });
});

test('coded errors keep their code and get the exit code of their kind', () => {
  expect(exitOf(new GenesisError('BAD_SHAPE', 'x'))).toBe(EXIT.config);
  expect(exitOf(new GenesisError('MISMATCH', 'x'))).toBe(EXIT.verification);
  expect(exitOf(new KeyError('EXISTS', 'x'))).toBe(EXIT.config);
  expect(exitOf(new KeyError('WRONG_PASSPHRASE', 'x'))).toBe(EXIT.denied);
  expect(exitOf(new DeploymentError('NOT_FUNDED', 'x'))).toBe(EXIT.config);
  expect(exitOf(new DeploymentError('VERIFICATION_FAILED', 'x'))).toBe(EXIT.verification);
  expect(exitOf(new CrossingError('TIMED_OUT', 'x'))).toBe(EXIT.timeout);
  expect(exitOf(new CrossingError('REFUSED', 'x'))).toBe(EXIT.denied);
  expect(exitOf(new CrossingError('WRONG_CHAIN', 'x'))).toBe(EXIT.config);
  expect(exitOf(new ChainError('WRONG_DATA_FOLDER', 'x'))).toBe(EXIT.config);
  expect(exitOf(new ChainError('DIVERGED', 'x'))).toBe(EXIT.verification);
  expect(exitOf(Object.assign(new Error('x'), { name: 'GuardError', code: 'GUARD_BACKWARD' }))).toBe(
    EXIT.guard,
  );
  expect(toCliError(Object.assign(new Error('x'), { code: 'EADDRINUSE' }))).toMatchObject({
    exitCode: EXIT.config,
    hint: expect.stringContaining('another port'),
  });
  expect(toCliError(new KeyError('EXISTS', 'x')).code).toBe('EXISTS');
});

test('an unreachable endpoint is found among the causes and gets a hint', () => {
  const error = new Error('reading failed', {
    cause: new HttpRequestError({ url: 'http://127.0.0.1:1', cause: new Error('refused') }),
  });
  expect(exitOf(error)).toBe(EXIT.unreachable);
  expect(toCliError(error).hint).toContain('endpoint');
  expect(exitOf(Object.assign(new Error('x'), { code: 'ECONNREFUSED' }))).toBe(EXIT.unreachable);
});

test('a CLI error passes unchanged', () => {
  const error = new CliError('m', { code: 'C', exitCode: EXIT.guard, hint: 'h' });
  expect(toCliError(error)).toBe(error);
});
