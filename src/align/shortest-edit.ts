/** Tokens that stand in both lists, in the first alone or in the second alone, as many as follow each other. */
export interface EditRun {
  type: 'kept' | 'deleted' | 'inserted';
  count: number;
}

/** A path, where it is after its last edit and what both lists have in common from there on. Numbers in one list. */
const [PREVIOUS, BEFORE_AT, AFTER_AT, NODE_SIZE] = [0, 1, 2, 3];

/**
 * A shortest list of edits that makes one list of tokens another: Myers' greedy algorithm, in time and memory that grow with the square
 * of the number of edits. Of several it gives the one that jsdiff gives, five to ten times as fast: tokens are numbers and paths
 * are in one array.
 *
 * @param before     int32, equal numbers for equal tokens
 * @param maxEdits   that may be needed
 * @param endMs      of `performance.now()`
 * @returns undefined where it takes more edits or time
 * @see https://doi.org/10.1007/BF01840446 and jsdiff's src/diff/base.ts, whose order of trials this keeps
 */
export function shortestEdit(
  before: Int32Array,
  after: Int32Array,
  { maxEdits = Infinity, endMs = Infinity }: { maxEdits?: number; endMs?: number },
): EditRun[] | undefined {
  const [beforeLength, afterLength] = [before.length, after.length];
  const most = Math.min(maxEdits, beforeLength + afterLength);
  const middle = most + 2;
  /** By diagonal: how far in `before` the farthest path is, or -1, and its place in `nodes`. */
  const reached = new Int32Array(2 * middle + 1).fill(-1);
  const paths = new Int32Array(2 * middle + 1);
  let nodes = new Int32Array(NODE_SIZE * 4096);
  let size = 0;
  // From the edge of either list a path goes on along it: diagonals beyond are of no use.
  let [first, last] = [-Infinity, Infinity];
  for (let edits = 0; edits <= most && (edits === 0 || performance.now() <= endMs); edits++) {
    if (size + NODE_SIZE * (edits + 1) > nodes.length) {
      const larger = new Int32Array(2 * nodes.length);
      larger.set(nodes);
      nodes = larger;
    }
    const end = Math.min(last, edits);
    for (let diagonal = Math.max(first, -edits); diagonal <= end && diagonal <= last; diagonal += 2) {
      let previous = -1;
      let beforeAt = 0;
      if (edits > 0) {
        const deletingAt = reached[middle + diagonal - 1]!;
        const insertingAt = reached[middle + diagonal + 1]!;
        reached[middle + diagonal - 1] = -1;
        const canDelete = deletingAt >= 0 && deletingAt < beforeLength;
        const canInsert = insertingAt >= 0 && insertingAt - diagonal - 1 < afterLength;
        if (!canDelete && !canInsert) {
          reached[middle + diagonal] = -1;
          continue;
        }
        const isInsertion = !canDelete || (canInsert && deletingAt < insertingAt);
        previous = paths[middle + diagonal + (isInsertion ? 1 : -1)]!;
        beforeAt = isInsertion ? insertingAt : deletingAt + 1;
      }
      let afterAt = beforeAt - diagonal;
      while (beforeAt < beforeLength && afterAt < afterLength && before[beforeAt] === after[afterAt]) {
        beforeAt += 1;
        afterAt += 1;
      }
      nodes[size + PREVIOUS] = previous;
      nodes[size + BEFORE_AT] = beforeAt;
      nodes[size + AFTER_AT] = afterAt;
      reached[middle + diagonal] = beforeAt;
      paths[middle + diagonal] = size;
      if (beforeAt === beforeLength && afterAt === afterLength) return runsOf(nodes, size);
      size += NODE_SIZE;
      // Of no edits, that is where the next begin, not an edge that was come to.
      if (edits === 0) continue;
      if (beforeAt === beforeLength) last = Math.min(last, diagonal - 1);
      if (afterAt === afterLength) first = Math.max(first, diagonal + 1);
    }
  }
  return undefined;
}

/** The path that ends at a place, from its start. */
function runsOf(nodes: Int32Array, end: number): EditRun[] {
  const runs: EditRun[] = [];
  const add = (type: EditRun['type'], count: number) => {
    const next = runs.at(-1);
    if (next?.type === type) next.count += count;
    else if (count > 0) runs.push({ type, count });
  };
  for (let at = end; at >= 0; at = nodes[at + PREVIOUS]!) {
    const previous = nodes[at + PREVIOUS]!;
    const deleted = nodes[at + BEFORE_AT]! - (previous < 0 ? 0 : nodes[previous + BEFORE_AT]!);
    const inserted = nodes[at + AFTER_AT]! - (previous < 0 ? 0 : nodes[previous + AFTER_AT]!);
    add('kept', Math.min(deleted, inserted));
    if (deleted > inserted) add('deleted', 1);
    if (inserted > deleted) add('inserted', 1);
  }
  return runs.reverse();
}
