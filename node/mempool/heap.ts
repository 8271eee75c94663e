/** A binary heap: `pop` returns an element that no other one comes before. */
export type Heap<T> = { push(item: T): void; pop(): T | undefined };

export const createHeap = <T>(comesBefore: (a: T, b: T) => boolean): Heap<T> => {
  const items: T[] = [];

  const swap = (a: number, b: number): void => {
    [items[a], items[b]] = [items[b]!, items[a]!];
  };

  const siftUp = (start: number): void => {
    for (let at = start; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!comesBefore(items[at]!, items[parent]!)) return;
      swap(at, parent);
      at = parent;
    }
  };

  const siftDown = (): void => {
    for (let at = 0; ; ) {
      let first = at;
      for (const child of [2 * at + 1, 2 * at + 2])
        if (child < items.length && comesBefore(items[child]!, items[first]!)) first = child;
      if (first === at) return;
      swap(at, first);
      at = first;
    }
  };

  return {
    push(item) {
      items.push(item);
      siftUp(items.length - 1);
    },
    pop() {
      const top = items[0];
      const last = items.pop();
      if (top === undefined || last === undefined || items.length === 0) return top;
      items[0] = last;
      siftDown();
      return top;
    },
  };
};
