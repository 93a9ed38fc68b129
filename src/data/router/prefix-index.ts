/** A prefix with what is stored under it. */
export interface PrefixNode<V> {
  readonly prefix: string;
  readonly value: V;
  /** The longest other stored prefix that this one starts with. */
  readonly parent: PrefixNode<V> | undefined;
}

/**
 * Finds the stored strings that a text starts with, in time that grows with the logarithm of their number. Of the
 * sorted prefixes, take the last that is not after the text: all prefixes of the text are that one or its ancestors,
 * since whatever sorts between a prefix of the text and the text starts with that prefix too.
 */
export class PrefixIndex<V> {
  readonly #nodes: readonly PrefixNode<V>[];

  constructor(entries: ReadonlyMap<string, V>) {
    const nodes: PrefixNode<V>[] = [];
    const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
    let parent: PrefixNode<V> | undefined;
    for (const [prefix, value] of sorted) {
      while (parent !== undefined && !prefix.startsWith(parent.prefix)) parent = parent.parent;
      parent = { prefix, value, parent };
      nodes.push(parent);
    }
    this.#nodes = nodes;
  }

  /** The longest stored prefix of the text; the others follow by `parent`. */
  longest(text: string): PrefixNode<V> | undefined {
    const nodes = this.#nodes;
    let low = 0;
    let high = nodes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const node = nodes[middle];
      if (node !== undefined && node.prefix <= text) low = middle + 1;
      else high = middle;
    }
    let node = nodes[low - 1];
    while (node !== undefined && !text.startsWith(node.prefix)) node = node.parent;
    return node;
  }
}
