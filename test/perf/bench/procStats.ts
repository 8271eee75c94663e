/** What the kernel says of a process: processor time of it and of its threads, memory, bytes written. Linux. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

export type ProcessSample = {
  readonly cpuMs: number;
  /** By thread name; threads of one name are added up. */
  readonly threadCpuMs: Readonly<Record<string, number>>;
  readonly rssBytes: number;
  /** To storage, by this process; what it overwrote in the page cache before it was flushed counts once. */
  readonly writtenBytes: number;
};

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** Of a `stat` file of /proc: the name may hold anything, spaces and brackets included. */
export const parseStat = (stat: string): { name: string; ticks: number } => {
  const end = stat.lastIndexOf(')');
  const fields = stat.slice(end + 2).split(' ');
  return { name: stat.slice(stat.indexOf('(') + 1, end), ticks: Number(fields[11]) + Number(fields[12]) };
};

const ticksToMs = (ticks: number): number => (1_000 * ticks) / ticksPerSecond;

const threadsOf = (pid: number): Record<string, number> => {
  const times: Record<string, number> = {};
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      const { name, ticks } = parseStat(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8'));
      const key = Number(thread) === pid ? 'main' : name;
      times[key] = (times[key] ?? 0) + ticksToMs(ticks);
    } catch {
      // ended meanwhile
    }
  }
  return times;
};

/** Of all cores together, everybody's: user, nice, system, interrupts and what a hypervisor took. */
export const parseMachineBusy = (stat: string): number => {
  const [user, nice, system, , , irq, softirq, steal] = /^cpu +(.*)$/m.exec(stat)![1]!.split(' ').map(Number);
  return ticksToMs(user! + nice! + system! + irq! + softirq! + steal!);
};

export const machineBusyMs = (): number => parseMachineBusy(readFileSync('/proc/stat', 'utf8'));

/** @throws when the process is gone */
export const sampleProcess = (pid: number): ProcessSample => {
  const { ticks } = parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  const rss = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1];
  const written = /^write_bytes: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))![1];
  return {
    cpuMs: ticksToMs(ticks),
    threadCpuMs: threadsOf(pid),
    rssBytes: 1_024 * Number(rss),
    writtenBytes: Number(written),
  };
};
