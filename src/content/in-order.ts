/**
 * Maps with up to `width` calls at once and yields the results in the order of the source, each as soon as it is there:
 * a source that has nothing more to say yet holds nothing back.
 */
export async function* inOrder<T, R>(
  source: AsyncIterable<T> | Iterable<T>,
  width: number,
  map: (item: T) => Promise<R>,
): AsyncGenerator<R, void> {
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  const queue: Promise<R>[] = [];
  let next: Promise<IteratorResult<T>> | null = null;
  let ended = false;
  try {
    for (;;) {
      if (!ended && next === null && queue.length < width) {
        next = Promise.resolve(iterator.next());
        next.catch(() => undefined);
      }
      const [head] = queue;
      if (head === undefined && next === null) return;
      if (head !== undefined) {
        const ready = next === null || (await Promise.race([head.then(() => true), next.then(() => false)]));
        if (ready) {
          yield await head;
          void queue.shift();
          continue;
        }
      }
      const result: IteratorResult<T> = await (next as Promise<IteratorResult<T>>);
      next = null;
      if (result.done === true) {
        ended = true;
        continue;
      }
      const mapped = map(result.value);
      mapped.catch(() => undefined);
      queue.push(mapped);
    }
  } finally {
    if (!ended) void Promise.resolve(iterator.return?.()).catch(() => undefined);
  }
}
