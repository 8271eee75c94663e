/** Every Byzantine validator that we know how to be, by name. */
import { amnesiac } from '#test/faults/amnesiac.ts';
import { equivocator } from '#test/faults/equivocator.ts';
import type { Fault, FaultName } from '#test/faults/fault.ts';
import { flooder } from '#test/faults/flooder.ts';
import { forger } from '#test/faults/forger.ts';
import { futureVoter } from '#test/faults/futureVoter.ts';
import { impersonator } from '#test/faults/impersonator.ts';
import { payloadSplitter } from '#test/faults/payloadSplitter.ts';
import { replayer } from '#test/faults/replayer.ts';
import { silent } from '#test/faults/silent.ts';
import { timeShifter } from '#test/faults/timeShifter.ts';
import { withholder } from '#test/faults/withholder.ts';

export const FAULTS: Readonly<Record<FaultName, Fault>> = {
  equivocator,
  amnesiac,
  silent,
  withholder,
  forger,
  flooder,
  futureVoter,
  timeShifter,
  payloadSplitter,
  replayer,
  impersonator,
};
