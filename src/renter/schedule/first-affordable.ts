/**
 * A row of prices in which the first one at or behind a place that is not above a limit is found in O(log n): a segment
 * tree of minima over the leaves.
 */
export interface PriceRow {
  /** -1 where there is none. */
  first: (from: number, limit: number) => number;
  remove: (place: number) => void;
}

const GONE = 0x7fffffff;

export function priceRow(prices: Int32Array): PriceRow {
  let size = 1;
  while (size < prices.length) size *= 2;
  const tree = new Int32Array(2 * size).fill(GONE);
  tree.set(prices, size);
  const lower = (node: number): number => Math.min(tree[2 * node] ?? GONE, tree[2 * node + 1] ?? GONE);
  for (let node = size - 1; node > 0; node -= 1) tree[node] = lower(node);
  return {
    first: (from, limit) => {
      if (from >= prices.length) return -1;
      let node = size + from;
      while ((tree[node] ?? GONE) > limit) {
        // Everything below this node is too dear: on to what stands right of it.
        while (node % 2 === 1) node >>= 1;
        if (node === 0) return -1;
        node += 1;
      }
      while (node < size) {
        node *= 2;
        if ((tree[node] ?? GONE) > limit) node += 1;
      }
      return node - size;
    },
    remove: (place) => {
      let node = size + place;
      tree[node] = GONE;
      for (node >>= 1; node > 0; node >>= 1) {
        const least = lower(node);
        if (tree[node] === least) return;
        tree[node] = least;
      }
    },
  };
}
