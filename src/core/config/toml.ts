import { parse } from 'smol-toml';
import type { PlaceNode } from './paths.ts';

/**
 * Parses TOML.
 *
 * @throws TomlError, with `line` and `column`
 */
export function parseToml(text: string): unknown {
  return parse(text, { maxDepth: 50, unsafeKeyBehaviour: 'throw' });
}

/**
 * Builds the tree of places by a light scan: table headers and keys at the start of a line. It is only run over text
 * that the parser accepted; keys inside inline tables get the place of the line's key.
 */
export function tomlPlaces(text: string): PlaceNode {
  const root: PlaceNode = { key: -1, value: 0, children: new Map(), merged: undefined };
  let table = root;
  let at = 0;
  while (at < text.length) {
    at = skipBlank(text, at);
    if (at >= text.length) break;
    if (text[at] === '[') {
      const list = text[at + 1] === '[';
      const start = at;
      const { keys, end } = readKeys(text, at + (list ? 2 : 1));
      table = descend(root, keys, start, list);
      at = endOfLine(text, end);
    } else {
      const start = at;
      const { keys, end } = readKeys(text, at);
      const equals = text.indexOf('=', end);
      if (keys.length === 0 || equals === -1) break;
      let value = equals + 1;
      while (text[value] === ' ' || text[value] === '\t') value++;
      const node = descend(table, keys, start, false);
      node.value = value;
      at = skipValue(text, value);
    }
  }
  return root;
}

/** Walks down to the node of `keys`, making what is missing; inside a list of tables it enters the newest. */
function descend(from: PlaceNode, keys: readonly string[], offset: number, list: boolean): PlaceNode {
  let node = from;
  keys.forEach((key, depth) => {
    node.children ??= new Map();
    const { children } = node;
    let next = children.get(key);
    if (next === undefined) {
      next = { key: offset, value: offset, children: undefined, merged: undefined };
      children.set(key, next);
    }
    if (list && depth === keys.length - 1) {
      next.children ??= new Map();
      const items = next.children;
      const item: PlaceNode = { key: offset, value: offset, children: undefined, merged: undefined };
      items.set(items.size, item);
      next = item;
    } else {
      const newest = next.children?.get(next.children.size - 1);
      if (newest !== undefined) next = newest;
    }
    node = next;
  });
  return node;
}

function skipBlank(text: string, from: number): number {
  let at = from;
  while (at < text.length) {
    const c = text[at];
    if (c === '#') at = endOfLine(text, at);
    else if (c === ' ' || c === '\t' || c === '\r' || c === '\n') at++;
    else break;
  }
  return at;
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end === -1 ? text.length : end + 1;
}

/** Reads a dotted key: bare, "quoted" and 'literal' parts. */
function readKeys(text: string, from: number): { keys: string[]; end: number } {
  const keys: string[] = [];
  const part = /[ \t]*(?:([A-Za-z0-9_-]+)|"((?:[^"\\\n]|\\.)*)"|'([^'\n]*)')[ \t]*(\.?)/y;
  part.lastIndex = from;
  let end = from;
  for (let found = part.exec(text); found !== null; found = part.exec(text)) {
    keys.push(found[1] ?? found[2] ?? found[3] ?? '');
    end = part.lastIndex;
    if (found[4] === '') break;
  }
  return { keys, end };
}

/** Skips a value: strings of all four kinds, and brackets over several lines. */
function skipValue(text: string, from: number): number {
  let depth = 0;
  let at = from;
  while (at < text.length) {
    const c = text[at]!;
    if (c === '"' || c === "'") at = skipString(text, at, c);
    else if (c === '#') {
      const end = text.indexOf('\n', at);
      at = end === -1 ? text.length : end;
    } else if (c === '\n' && depth === 0) return at + 1;
    else {
      if (c === '[' || c === '{') depth++;
      else if (c === ']' || c === '}') depth--;
      at++;
    }
  }
  return at;
}

function skipString(text: string, from: number, quote: string): number {
  const triple = quote.repeat(3);
  const long = text.startsWith(triple, from);
  let at = from + (long ? 3 : 1);
  while (at < text.length) {
    if (quote === '"' && text[at] === '\\') at += 2;
    else if (long && text.startsWith(triple, at)) {
      at += 3;
      // Up to two quotes may stand right before the closing three.
      while (text[at] === quote) at++;
      return at;
    } else if (!long && (text[at] === quote || text[at] === '\n')) return at + 1;
    else at++;
  }
  return at;
}
