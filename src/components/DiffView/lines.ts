import { decidedText, type Decisions, type ReviewPart } from '../../align/review.ts';

/** Which texts are shown: one side's, or both woven into one. */
export type Sides = 'original' | 'edit' | 'both';

/** A stretch within a line. `part` is its place in the parts. */
export type Fragment =
  | { type: 'kept' | 'pending'; part: number; text: string }
  /** A kept stretch of which only the ends are shown. */
  | { type: 'folded'; part: number; text: string }
  /** What of a change is in this line. `isLast`: nothing of it follows. */
  | { type: 'change'; part: number; index: number; deleted: string; inserted: string; isLast: boolean };

/**
 * The parts as lines, each ending where a line feed ends it. A browser lays a block out anew as a whole when anything in it
 * changes; with a block a line, a long text costs what one line costs.
 *
 * @param isFolded  of the part at an index
 * @returns lines whose texts join to the sides' text
 */
export function toLines(
  parts: readonly ReviewPart[],
  sides: Sides,
  decisions: Decisions,
  isFolded: (part: number) => boolean,
): Fragment[][] {
  const lines: Fragment[][] = [[]];
  /** Calls back for each piece that ends in a line feed, or is the text's last; begins a line after each of the former. */
  const eachLine = (text: string, add: (line: Fragment[], piece: string) => void) => {
    for (const piece of text.match(/[^\n]*\n|[^\n]+$/g) ?? []) {
      add(lines.at(-1)!, piece);
      if (piece.endsWith('\n')) lines.push([]);
    }
  };
  parts.forEach((part, i) => {
    if (part.type !== 'change') {
      if (part.type === 'kept' && isFolded(i)) lines.at(-1)!.push({ type: 'folded', part: i, text: part.text });
      else eachLine(part.text, (line, text) => line.push({ type: part.type, part: i, text }));
      return;
    }
    const { index } = part;
    const fresh = { type: 'change' as const, part: i, index, deleted: '', inserted: '', isLast: false };
    const piecesOf = (side: 'deleted' | 'inserted') => (line: Fragment[], piece: string) => {
      const last = line.at(-1);
      if (last?.type === 'change' && last.part === i) last[side] += piece;
      else line.push({ ...fresh, [side]: piece });
    };
    const decision = decisions.get(index)?.type;
    // What was taken back is the reviewed text again.
    if (sides !== 'edit' || decision === 'rejected') eachLine(part.deleted, piecesOf('deleted'));
    if (sides !== 'original') {
      eachLine(decision === 'reworded' ? decidedText(part, decisions) : part.inserted, piecesOf('inserted'));
    }
    const end = lines.at(-1)!;
    const last = end.at(-1);
    if (last?.type === 'change' && last.part === i) last.isLast = true;
    // The place where words were, or can be written: it is not seen until a person comes to it.
    else end.push({ ...fresh, isLast: true });
  });
  return lines.at(-1)!.length === 0 && lines.length > 1 ? lines.slice(0, -1) : lines;
}
