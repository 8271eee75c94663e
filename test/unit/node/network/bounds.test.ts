/** Bounds of the parts that strangers reach, alone and on a clock of the test. */
import { createAddressGate, DEFAULT_ADDRESS_LIMITS, plainAddress } from '#node/network/addressGate.ts';
import { createSecurityLog, type SecurityLog } from '#node/network/securityLog.ts';
import { createCapturedLogger } from './networkFixture.ts';

describe('connections that have not shaken hands', () => {
  const createGate = (configured: readonly string[] = []) => {
    const refused: string[] = [];
    const gate = createAddressGate(
      DEFAULT_ADDRESS_LIMITS,
      new Set(configured),
      () => 0,
      (why, address) => refused.push(`${why} ${address}`),
    );
    return { gate, refused };
  };
  const { pendingPerAddress, pendingTotal } = DEFAULT_ADDRESS_LIMITS;
  const addressOf = (i: number): string => `10.0.${i >> 8}.${i & 255}`;

  test('of all unconfigured addresses together are bounded, however many addresses there are', () => {
    const { gate, refused } = createGate();
    for (let i = 0; i < pendingTotal; i++) expect(gate.enter(addressOf(i))).not.toBeNull();
    expect(gate.enter(addressOf(pendingTotal))).toBeNull();
    expect(refused).toEqual([`pending ${addressOf(pendingTotal)}`]);
    expect(gate.pending()).toBe(pendingTotal);
  });

  test('leave room for configured peers, whose own share is bounded', () => {
    const { gate } = createGate(['192.168.0.1']);
    for (let i = 0; i < pendingTotal; i++) gate.enter(addressOf(i));
    for (let i = 0; i < pendingPerAddress; i++) expect(gate.enter('192.168.0.1')).not.toBeNull();
    expect(gate.enter('192.168.0.1')).toBeNull();
  });

  test('make room when they end, once each', () => {
    const { gate } = createGate();
    const [leave] = Array.from({ length: pendingPerAddress }, () => gate.enter('10.0.0.1'));
    expect(gate.enter('10.0.0.1')).toBeNull();
    leave!();
    leave!();
    expect(gate.enter('10.0.0.1')).not.toBeNull();
    expect(gate.enter('10.0.0.1')).toBeNull();
  });

  test('of one IPv6 neighbourhood count as one address, and IPv4 in IPv6 as itself', () => {
    expect(plainAddress('::ffff:10.0.0.1')).toBe('10.0.0.1');
    expect(plainAddress('2001:db8:1:2:3:4:5:6')).toBe(plainAddress('2001:db8:1:2::9'));
    expect(plainAddress('2001:db8:1:2::9')).not.toBe(plainAddress('2001:db8:1:3::9'));
  });
});

describe('the security log', () => {
  const createLog = () => {
    const logger = createCapturedLogger();
    let nowMs = 0;
    const log = createSecurityLog(logger, () => nowMs);
    return {
      say: (event: string, source: string): ReturnType<SecurityLog> =>
        log('warn', event, source, { source }, `${event} of ${source}`),
      lines: logger.lines,
      pass: (ms: number) => {
        nowMs += ms;
      },
    };
  };

  test('says one event of one source once in ten seconds, then how many it stands for', () => {
    const { say, lines, pass } = createLog();
    for (let i = 0; i < 1_000; i++) say('flood', 'one');
    expect(lines.length).toBe(1);
    pass(9_999);
    say('flood', 'one');
    expect(lines.length).toBe(1);
    pass(1);
    say('flood', 'one');
    expect(lines.length).toBe(2);
    expect(lines[1]!.fields).toMatchObject({ event: 'flood', source: 'one', alsoUnsaid: 1_000 });
  });

  test('says other events and other sources at once', () => {
    const { say, lines } = createLog();
    say('flood', 'one');
    say('flood', 'two');
    say('ban', 'one');
    expect(lines.map(({ message }) => message)).toEqual(['flood of one', 'flood of two', 'ban of one']);
  });

  test('is bounded whatever the sources are called, and says how many lines are missing', () => {
    const { say, lines, pass } = createLog();
    for (let i = 0; i < 10_000; i++) say('flood', `source ${i}`);
    expect(lines.length).toBe(60);
    pass(1_000);
    for (let i = 0; i < 10; i++) say('flood', `another ${i}`);
    expect(lines.length).toBe(62);
    expect(lines[60]!.fields).toMatchObject({ otherLinesUnsaid: 9_940 });
  });
});
