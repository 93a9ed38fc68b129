/** Where a field of a JSON object stands: its value from `start` to `end`, or as far as it has come. */
export type JsonField =
  | { readonly kind: 'found'; readonly start: number; readonly end: number }
  /** The value has begun and goes on behind what has come. */
  | { readonly kind: 'begun'; readonly start: number }
  /** Nothing of it has come, and it may still. */
  | { readonly kind: 'unseen' }
  /** The text is no object, or the object has ended without it. */
  | { readonly kind: 'absent' };

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;

const UNSEEN: JsonField = { kind: 'unseen' };
const ABSENT: JsonField = { kind: 'absent' };

/**
 * Finds a field of the object that a JSON text begins with, in one pass and without reading more of it than is needed. The
 * text may be cut off anywhere. It does not check that the text is JSON: who the request is for will.
 */
export function findJsonField(text: Buffer, name: string): JsonField {
  let at = skipSpace(text, 0);
  if (at >= text.length) return UNSEEN;
  if (text[at] !== OPEN) return ABSENT;
  at++;
  for (;;) {
    at = skipSpace(text, at);
    if (at >= text.length) return UNSEEN;
    if (text[at] === CLOSE) return ABSENT;
    if (text[at] === COMMA) {
      at++;
      continue;
    }
    if (text[at] !== QUOTE) return ABSENT;
    const keyEnd = endOfString(text, at);
    if (keyEnd < 0) return UNSEEN;
    const key = text.toString('utf8', at + 1, keyEnd - 1);
    at = skipSpace(text, keyEnd);
    if (at >= text.length) return UNSEEN;
    if (text[at] !== COLON) return ABSENT;
    at = skipSpace(text, at + 1);
    if (at >= text.length) return UNSEEN;
    const end = endOfValue(text, at);
    if (key === name) return end < 0 ? { kind: 'begun', start: at } : { kind: 'found', start: at, end };
    if (end < 0) return UNSEEN;
    if (end === at) return ABSENT;
    at = end;
  }
}

function skipSpace(text: Buffer, from: number): number {
  let at = from;
  while (at < text.length) {
    const c = text[at]!;
    if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) break;
    at++;
  }
  return at;
}

/** Behind the closing quote of the string that begins at `from`; -1 where it has not come. */
function endOfString(text: Buffer, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    const c = text[at]!;
    if (c === BACKSLASH) at++;
    else if (c === QUOTE) return at + 1;
  }
  return -1;
}

/** Behind the value that begins at `from`; -1 where its end has not come. */
function endOfValue(text: Buffer, from: number): number {
  const first = text[from]!;
  if (first === QUOTE) return endOfString(text, from);
  if (first !== OPEN && first !== OPEN_LIST) {
    for (let at = from; at < text.length; at++) {
      const c = text[at]!;
      if (c === COMMA || c === CLOSE || c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09) return at;
    }
    return -1;
  }
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const c = text[at]!;
    if (c === QUOTE) {
      at = endOfString(text, at) - 1;
      if (at < 0) return -1;
    } else if (c === OPEN || c === OPEN_LIST) {
      depth++;
    } else if ((c === CLOSE || c === CLOSE_LIST) && --depth === 0) {
      return at + 1;
    }
  }
  return -1;
}

/** The string that a field holds; null where it is none, or does not decode. */
export function stringOf(text: Buffer, field: JsonField): string | null {
  if (field.kind !== 'found' || text[field.start] !== QUOTE) return null;
  try {
    return JSON.parse(text.toString('utf8', field.start, field.end)) as string;
  } catch {
    return null;
  }
}
