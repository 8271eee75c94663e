/**
 * A disk in memory that loses what was not synced when the power goes: all of it, or any part of it.
 * It can also fail, and be damaged on purpose.
 */
import type { Disk, DiskFile } from '#node/consensus/disk.ts';

type Content = { durable: Uint8Array; current: Uint8Array };

export class TearingDisk implements Disk {
  readonly #files = new Map<string, Content>();
  /** Handles of before a crash are dead. */
  #generation = 0;
  failSync = false;
  /** Nothing grows any more. */
  isFull = false;
  /** Runs when a file is durable and before its owner hears of it: the moment for a power cut. */
  onSynced: ((name: string) => Promise<void>) | null = null;
  syncs = 0;

  async list(): Promise<readonly string[]> {
    return [...this.#files.keys()];
  }

  async open(name: string, { create }: { create: boolean }): Promise<DiskFile | null> {
    if (!this.#files.has(name)) {
      if (!create) return null;
      this.#files.set(name, { durable: new Uint8Array(0), current: new Uint8Array(0) });
    }
    return this.#handle(name, this.#generation);
  }

  async remove(name: string): Promise<void> {
    this.#files.delete(name);
  }

  /** The power goes. @param keep how much of each unsynced tail survives, 0 to 1 */
  crash(keep = 0): void {
    this.#generation++;
    for (const content of this.#files.values()) {
      const { durable, current } = content;
      const isInPlace = current.length === durable.length;
      const kept = isInPlace
        ? durable
        : current.slice(0, durable.length + Math.floor((current.length - durable.length) * keep));
      if (!isInPlace) kept.set(durable.subarray(0, Math.min(durable.length, kept.length)), 0);
      content.durable = kept.slice();
      content.current = kept.slice();
    }
  }

  has(name: string): boolean {
    return this.#files.has(name);
  }

  bytes(name: string): Uint8Array {
    return this.#files.get(name)!.current.slice();
  }

  overwrite(name: string, bytes: Uint8Array): void {
    this.#files.set(name, { durable: bytes.slice(), current: bytes.slice() });
  }

  copy(): TearingDisk {
    const copy = new TearingDisk();
    for (const [name, { durable }] of this.#files) copy.overwrite(name, durable);
    return copy;
  }

  #handle(name: string, generation: number): DiskFile {
    const content = (): Content => {
      const found = this.#files.get(name);
      if (found === undefined || generation !== this.#generation) throw new Error('EBADF');
      return found;
    };
    return {
      read: async () => content().current.slice(),
      write: async (offset, bytes) => {
        const file = content();
        if (this.isFull && offset + bytes.length > file.current.length)
          throw new Error('ENOSPC: no space left on device, write');
        const grown = new Uint8Array(Math.max(file.current.length, offset + bytes.length));
        grown.set(file.current, 0);
        grown.set(bytes, offset);
        file.current = grown;
      },
      truncate: async (sizeBytes) => {
        const file = content();
        file.current = file.current.slice(0, sizeBytes);
      },
      sync: async () => {
        if (this.failSync) throw new Error('EIO: i/o error, fdatasync');
        this.syncs++;
        const file = content();
        file.durable = file.current.slice();
        await this.onSynced?.(name);
      },
      close: async () => undefined,
    };
  }
}
