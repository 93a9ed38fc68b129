/** Where something stands in a configuration: keys and list indices from the top. */
export type Path = readonly (string | number)[];

/** Renders a path for people: `http.services.api.loadBalancer.servers[0].url`. */
export function formatPath(path: Path): string {
  let out = '';
  for (const part of path) {
    if (typeof part === 'number') out += `[${part}]`;
    else out += out === '' ? part : `.${part}`;
  }
  return out;
}

/** A line and a column, both from 1. */
export interface LineColumn {
  readonly line: number;
  readonly column: number;
}

/**
 * Finds where a path stands in its source. Keys are found whatever their case; where a path is not there itself (a
 * missing key), the answer is its nearest ancestor.
 *
 * @param at the place of the key (default), or of the value behind it
 */
export type Positions = (path: Path, at?: 'key' | 'value') => LineColumn | undefined;

/** A node of the tree of places that a source is indexed by. Offsets count UTF-16 units from 0. */
export interface PlaceNode {
  key: number;
  value: number;
  children: Map<string | number, PlaceNode> | undefined;
  /** Nodes that YAML merge keys (`<<`) bring in. */
  merged: PlaceNode[] | undefined;
}

/** Makes the lookup for a tree of places; the tree is built at the first question, as most files have no problems. */
export function positionsIn(text: string, build: () => PlaceNode | undefined): Positions {
  let root: PlaceNode | undefined;
  let lineStarts: number[] | undefined;
  return (path, at = 'key') => {
    if (lineStarts === undefined) {
      root = build();
      lineStarts = startsOfLines(text);
    }
    if (root === undefined) return undefined;
    let node = root;
    let whole = true;
    for (const part of path) {
      const next = childOf(node, part, 8);
      if (next === undefined) {
        whole = false;
        break;
      }
      node = next;
    }
    const offset = at === 'value' && whole && node.value >= 0 ? node.value : node.key >= 0 ? node.key : node.value;
    return lineColumn(lineStarts, Math.max(0, offset));
  };
}

function childOf(node: PlaceNode, part: string | number, depth: number): PlaceNode | undefined {
  const exact = node.children?.get(part);
  if (exact !== undefined) return exact;
  if (typeof part === 'string' && node.children !== undefined) {
    const folded = part.toLowerCase();
    for (const [key, child] of node.children) {
      if (typeof key === 'string' && key.toLowerCase() === folded) return child;
    }
  }
  // Bounded, as anchors can be tied into a ring.
  if (depth > 0) {
    for (const source of node.merged ?? []) {
      const found = childOf(source, part, depth - 1);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function startsOfLines(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

function lineColumn(starts: readonly number[], offset: number): LineColumn {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle]! <= offset) low = middle;
    else high = middle - 1;
  }
  return { line: low + 1, column: offset - starts[low]! + 1 };
}
