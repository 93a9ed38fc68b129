/** Columns of a line that are shown where nothing else is known. */
const DEFAULT_WIDTH = 100;
const TAB_STOP = 4;

/** One character as a terminal shows it. */
interface Cell {
  readonly text: string;
  /** Terminal columns: 0 for combining marks, 2 for East Asian wide ones. */
  readonly width: number;
  /** UTF-16 unit of the line at which it starts. */
  readonly at: number;
}

const ZERO_WIDTH = /^[\p{Mn}\p{Me}]$/u;
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}\p{Emoji_Presentation}]$/u;
/** Control and format characters: a line of a file must not steer the terminal or turn its text around. */
const UNPRINTABLE = /^[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]$/u;

/**
 * A line of a file with a caret under a place in it.
 *
 * @param line without its line end
 * @param number counted from 1
 * @param column counted from 1, in UTF-16 units
 * @param width terminal columns to fit into; a longer line is cut around the place
 */
export function excerpt(line: string, number: number, column: number, width: number = DEFAULT_WIDTH): string {
  const gutter = String(number);
  const { text, caret } = cut(cellsOf(line), column - 1, Math.max(20, width - gutter.length - 4));
  return ` ${gutter} | ${text}\n ${' '.repeat(gutter.length)} | ${' '.repeat(caret)}^`;
}

function cellsOf(line: string): readonly Cell[] {
  const cells: Cell[] = [];
  let at = 0;
  let columns = 0;
  for (const character of line) {
    let text = character;
    let width = 1;
    if (character === '\t') {
      width = TAB_STOP - (columns % TAB_STOP);
      text = ' '.repeat(width);
    } else if (UNPRINTABLE.test(character)) text = '\ufffd';
    else if (ZERO_WIDTH.test(character)) width = 0;
    else if (WIDE.test(character)) width = 2;
    cells.push({ text, width, at });
    at += character.length;
    columns += width;
  }
  return cells;
}

/** Cuts a line to what fits, with the place in it, and says under which column the caret stands. */
function cut(cells: readonly Cell[], offset: number, width: number): { readonly text: string; readonly caret: number } {
  const after = cells.findIndex((cell) => cell.at > offset);
  const last = cells.at(-1);
  const isBehind = after === -1 && (last === undefined || offset >= last.at + last.text.length);
  const place = after === -1 ? (isBehind ? cells.length : cells.length - 1) : Math.max(0, after - 1);

  if (widthOf(cells) <= width) {
    return { text: textOf(cells).trimEnd(), caret: widthOf(cells.slice(0, place)) };
  }
  // A third of the room before the place: what follows says more.
  const before = Math.floor(width / 3);
  let start = place;
  let used = 0;
  while (start > 0 && used + cells[start - 1]!.width <= before) used += cells[--start]!.width;
  const room = width - (start > 0 ? 1 : 0);
  let end = start;
  used = 0;
  while (end < cells.length && used + cells[end]!.width < room) used += cells[end++]!.width;
  const lead = start > 0 ? '…' : '';
  const tail = end < cells.length ? '…' : '';
  return {
    text: `${lead}${textOf(cells.slice(start, end))}${tail}`,
    caret: lead.length + widthOf(cells.slice(start, place)),
  };
}

function widthOf(cells: readonly Cell[]): number {
  return cells.reduce((sum, cell) => sum + cell.width, 0);
}

function textOf(cells: readonly Cell[]): string {
  return cells.map((cell) => cell.text).join('');
}
