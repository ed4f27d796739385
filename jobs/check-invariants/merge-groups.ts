/** All rows of both sides that have one key. */
export interface MergedGroup<L, R> {
  key: string;
  left: L[];
  right: R[];
}

/**
 * A full outer join of two streams that are sorted by their key, in the order of UTF-16 units, which for ids in lower
 * case is that of PostgreSQL's uuid, of its collation "C" and of MongoDB. Holds one key's rows at a time.
 *
 * @param left batches of rows
 * @param right batches of rows
 * @throws Error if a side is not sorted, since what follows would be nonsense
 */
export async function* mergeGroups<L, R>(
  left: AsyncIterable<readonly L[]>,
  leftKey: (row: L) => string,
  right: AsyncIterable<readonly R[]>,
  rightKey: (row: R) => string,
): AsyncGenerator<MergedGroup<L, R>> {
  const lefts = groups(left, leftKey);
  const rights = groups(right, rightKey);
  try {
    let l = await lefts.next();
    let r = await rights.next();
    while (!l.done || !r.done) {
      const key = l.done || (!r.done && r.value.key < l.value.key) ? (r.value as Group<R>).key : l.value.key;
      const merged: MergedGroup<L, R> = { key, left: [], right: [] };
      if (!l.done && l.value.key === key) {
        merged.left = l.value.rows;
        l = await lefts.next();
      }
      if (!r.done && r.value.key === key) {
        merged.right = r.value.rows;
        r = await rights.next();
      }
      yield merged;
    }
  } finally {
    // When one side failed: an open cursor of the other would keep its connection from rolling back.
    await Promise.allSettled([lefts.return(undefined), rights.return(undefined)]);
  }
}

interface Group<T> {
  key: string;
  rows: T[];
}

async function* groups<T>(batches: AsyncIterable<readonly T[]>, keyOf: (row: T) => string): AsyncGenerator<Group<T>> {
  let current: Group<T> | undefined;
  for await (const batch of batches) {
    for (const row of batch) {
      const key = keyOf(row);
      if (current?.key === key) {
        current.rows.push(row);
        continue;
      }
      if (current !== undefined) {
        if (key < current.key) throw new Error(`rows are not sorted: ${key} came after ${current.key}`);
        yield current;
      }
      current = { key, rows: [row] };
    }
  }
  if (current !== undefined) yield current;
}
