/**
 * Transient storage (EIP-1153) by words, in the place of the library's, which goes through hex of bytes each time.
 *
 * Owns its checkpoints, which follow the frames'. Keys are text: maps hash a bigint by its low 64 bits alone, which
 * whoever chooses slots could make collide.
 */
import type { Address } from '@ethereumjs/util';
import { readBytes, wordToBytes } from '#node/execution/words.ts';

const keyOf = ({ bytes }: Address, slot: bigint): string =>
  `${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')}${slot.toString(16)}`;

export class QuickTransient {
  #words = new Map<string, bigint>();
  #undo: { readonly key: string; readonly before: bigint | undefined }[] = [];
  #marks: number[] = [];

  load(address: Address, slot: bigint): bigint {
    return this.#words.get(keyOf(address, slot)) ?? 0n;
  }

  store(address: Address, slot: bigint, word: bigint): void {
    const key = keyOf(address, slot);
    this.#undo.push({ key, before: this.#words.get(key) });
    this.#words.set(key, word);
  }

  checkpoint(): void {
    this.#marks.push(this.#undo.length);
  }

  commit(): void {
    this.#marks.pop();
  }

  revert(): void {
    const mark = this.#marks.pop() ?? 0;
    while (this.#undo.length > mark) {
      const { key, before } = this.#undo.pop()!;
      if (before === undefined) this.#words.delete(key);
      else this.#words.set(key, before);
    }
  }

  clear(): void {
    this.#words = new Map();
    this.#undo = [];
  }

  // ── as the library's opcodes ask, when a frame is watched ──

  get(address: Address, slot: Uint8Array): Uint8Array {
    return wordToBytes(this.load(address, readBytes(slot, 0, slot.length)));
  }

  put(address: Address, slot: Uint8Array, value: Uint8Array): void {
    this.store(address, readBytes(slot, 0, slot.length), readBytes(value, 0, value.length));
  }
}
