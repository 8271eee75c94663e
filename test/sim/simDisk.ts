/**
 * A disk that outlives its processes: it forgets or tears what was not synced, fills up, and fails to sync.
 *
 * Owns files as durable bytes and writes that are not durable yet. At a crash each such write is kept, lost, or torn:
 * any of its 512-byte sectors may be there, and one of them in part. A removed file may come back. A write to a full
 * disk leaves a part of itself. After a failed sync the writes are neither durable nor surely lost.
 */
import type { Disk, DiskFile } from '#node/consensus/disk.ts';
import type { Events } from './events.ts';
import type { Keep } from './plan.ts';
import { type EffectCounter, never, type SimProcess } from './simProcess.ts';

type Write = { readonly offset: number; readonly bytes: Uint8Array } | { readonly truncateTo: number };
type Content = { durable: Uint8Array; current: Uint8Array; unsynced: Write[] };

const SECTOR_BYTES = 512;
const EMPTY = new Uint8Array(0);

const applyWrite = (to: Uint8Array, write: Write): Uint8Array => {
  if ('truncateTo' in write) return to.slice(0, write.truncateTo);
  if (to.length === 0 && write.offset === 0) return write.bytes;
  const grown = new Uint8Array(Math.max(to.length, write.offset + write.bytes.length));
  grown.set(to, 0);
  grown.set(write.bytes, write.offset);
  return grown;
};

/** The sectors of a write that reached the medium. */
const tear = (write: Write, random: () => number): readonly Write[] => {
  if ('truncateTo' in write) return random() < 0.5 ? [write] : [];
  const kept: Write[] = [];
  for (let at = 0; at < write.bytes.length; ) {
    const end = Math.min(write.bytes.length, at + SECTOR_BYTES - ((write.offset + at) % SECTOR_BYTES));
    const sector = write.bytes.subarray(at, end);
    const fate = random();
    if (fate < 0.4) kept.push({ offset: write.offset + at, bytes: sector });
    else if (fate < 0.6)
      kept.push({
        offset: write.offset + at,
        bytes: sector.subarray(0, Math.floor(random() * sector.length)),
      });
    at = end;
  }
  return kept;
};

export type SimDiskPorts = {
  readonly events: Events;
  readonly random: () => number;
  readonly effects: EffectCounter;
  /** Runs after so much virtual time, if the process lives then. */
  readonly after: (process: SimProcess, delayMs: number, run: () => void) => void;
  readonly syncDelayMs: () => number;
};

const ioError = (code: string, text: string): Error => Object.assign(new Error(`${code}: ${text}`), { code });

export class SimDisk {
  readonly #ports: SimDiskPorts;
  readonly #files = new Map<string, Content>();
  #removed = new Map<string, Content>();
  isFull = false;
  failsSync = false;
  /** A write or sync was refused since the last start. */
  wasRefused = false;

  constructor(ports: SimDiskPorts) {
    this.#ports = ports;
  }

  crash(keep: Keep): void {
    const { random } = this.#ports;
    for (const content of this.#files.values()) {
      let kept = content.durable;
      for (const write of content.unsynced) {
        const parts = keep === 'none' ? [] : keep === 'all' ? [write] : tear(write, random);
        for (const part of parts) kept = applyWrite(kept, part);
      }
      content.durable = kept;
      content.current = kept;
      content.unsynced = [];
    }
    for (const [name, content] of this.#removed)
      if (keep === 'torn' && random() < 0.5 && !this.#files.has(name)) this.#files.set(name, content);
    this.#removed = new Map();
  }

  /** What a restart would read. */
  bytes(name: string): Uint8Array | null {
    return this.#files.get(name)?.current ?? null;
  }

  /** Files and their sizes, for bounds. */
  sizes(): readonly number[] {
    return [...this.#files.values()].map(({ current }) => current.length);
  }

  mount(process: SimProcess): Disk {
    return {
      list: () => this.#operate(process, 'list', '', () => [...this.#files.keys()].sort()),
      open: (name, { create }) =>
        this.#operate(process, 'open', name, () => {
          if (!this.#files.has(name)) {
            if (!create) return null;
            if (this.isFull) throw this.#refuse('ENOSPC', 'no space left on device, open');
            this.#files.set(name, { durable: EMPTY, current: EMPTY, unsynced: [] });
          }
          return this.#handle(process, name);
        }),
      remove: (name) =>
        this.#operate(process, 'remove', name, () => {
          const content = this.#files.get(name);
          if (content === undefined) return;
          this.#files.delete(name);
          this.#removed.set(name, { durable: content.durable, current: content.durable, unsynced: [] });
        }),
    };
  }

  #handle(process: SimProcess, name: string): DiskFile {
    const content = (): Content => {
      const found = this.#files.get(name);
      if (found === undefined) throw ioError('EBADF', `no such file, ${name}`);
      return found;
    };
    const write = (file: Content, change: Write): void => {
      file.current = applyWrite(file.current, change);
      file.unsynced.push(change);
    };
    return {
      read: () => this.#operate(process, 'read', name, () => content().current.slice()),
      write: (offset, bytes) =>
        this.#operate(process, 'write', `${name} ${offset}+${bytes.length}`, () => {
          const grows = offset + bytes.length > content().current.length;
          if (!this.isFull || !grows) {
            write(content(), { offset, bytes: bytes.slice() });
            return;
          }
          const fits = Math.floor(this.#ports.random() * bytes.length);
          if (fits > 0) write(content(), { offset, bytes: bytes.slice(0, fits) });
          throw this.#refuse('ENOSPC', 'no space left on device, write');
        }),
      truncate: (sizeBytes) =>
        this.#operate(process, 'truncate', `${name} ${sizeBytes}`, () =>
          write(content(), { truncateTo: sizeBytes }),
        ),
      sync: () =>
        this.#operate(
          process,
          'sync',
          name,
          () => {
            if (this.failsSync) throw this.#refuse('EIO', 'i/o error, fdatasync');
            const file = content();
            file.durable = file.current;
            file.unsynced = [];
          },
          this.#ports.syncDelayMs(),
        ),
      close: () => this.#operate(process, 'close', name, () => undefined),
    };
  }

  #refuse(code: string, text: string): Error {
    this.wasRefused = true;
    return ioError(code, text);
  }

  #operate<T>(process: SimProcess, operation: string, detail: string, run: () => T, delayMs = 0): Promise<T> {
    const { events, effects } = this.#ports;
    if (!effects.pass(process)) return never();
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        if (!process.isAlive) return;
        try {
          const result = run();
          events.add('disk', `${process.name} ${operation} ${detail}`);
          if (effects.pass(process)) resolve(result);
        } catch (error) {
          events.add('disk', `${process.name} ${operation} ${detail} failed: ${(error as Error).message}`);
          if (effects.pass(process)) reject(error);
        }
      };
      if (delayMs === 0) finish();
      else this.#ports.after(process, delayMs, finish);
    });
  }
}
