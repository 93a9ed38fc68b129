import { type HeaderId, identifyName } from './known.ts';

/** Numbers a field takes in {@link HeaderList.spans}: start of the line, colon, end of the line, id. */
export const SPAN = 4;

/** Compares a name in any case with one in lower case. */
export function sameName(name: string, lower: string): boolean {
  if (name === lower) return true;
  return name.length === lower.length && name.toLowerCase() === lower;
}

/**
 * The fields of one message, as received, in order.
 *
 * It keeps the validated head as one string and where each field stands in it; a field becomes a string of its own only
 * when somebody asks for it. What is passed on untouched (nearly everything) is copied as whole runs of lines.
 */
export class HeaderList {
  /** The head as received, latin1: one character a byte. */
  readonly source: string;
  /** {@link SPAN} numbers for each field; a removed one has start -1. */
  readonly spans: number[];
  /** Fields set since: name, value, name, value… */
  #added: string[] | null = null;
  /** What {@link HeaderList.deleteAlike} was asked for. */
  #unheard: string[] | null = null;

  constructor(source: string, spans: number[]) {
    this.source = source;
    this.spans = spans;
  }

  /** A list of its own, without a head that was received. */
  static of(...fields: readonly string[]): HeaderList {
    const list = new HeaderList('', []);
    for (let i = 0; i + 1 < fields.length; i += 2) list.append(fields[i]!, fields[i + 1]!);
    return list;
  }

  #value(at: number): string {
    const source = this.source;
    let start = this.spans[at + 1]! + 1;
    let end = this.spans[at + 2]! - 2;
    while (start < end && (source.charCodeAt(start) === 0x20 || source.charCodeAt(start) === 0x09)) start++;
    while (end > start && (source.charCodeAt(end - 1) === 0x20 || source.charCodeAt(end - 1) === 0x09)) end--;
    return source.substring(start, end);
  }

  #matches(at: number, lower: string): boolean {
    const spans = this.spans;
    const start = spans[at]!;
    if (start < 0 || spans[at + 1]! - start !== lower.length) return false;
    return sameName(this.source.substring(start, spans[at + 1]!), lower);
  }

  /** The first value of a known header, `undefined` where there is none. */
  getKnown(id: HeaderId): string | undefined {
    const spans = this.spans;
    for (let at = 0; at < spans.length; at += SPAN) {
      if (spans[at + 3] === id && spans[at]! >= 0) return this.#value(at);
    }
    const added = this.#added;
    if (added !== null) {
      for (let i = 0; i < added.length; i += 2) if (identifyName(added[i]!) === id) return added[i + 1];
    }
    return undefined;
  }

  /** The first value; the name in lower case. */
  get(lower: string): string | undefined {
    const spans = this.spans;
    for (let at = 0; at < spans.length; at += SPAN) if (this.#matches(at, lower)) return this.#value(at);
    const added = this.#added;
    if (added !== null) {
      for (let i = 0; i < added.length; i += 2) if (sameName(added[i]!, lower)) return added[i + 1];
    }
    return undefined;
  }

  has(lower: string): boolean {
    return this.get(lower) !== undefined;
  }

  /** Every value, in order; the name in lower case. */
  getAll(lower: string): string[] {
    const values: string[] = [];
    const spans = this.spans;
    for (let at = 0; at < spans.length; at += SPAN) if (this.#matches(at, lower)) values.push(this.#value(at));
    const added = this.#added;
    if (added !== null) {
      for (let i = 0; i < added.length; i += 2) if (sameName(added[i]!, lower)) values.push(added[i + 1]!);
    }
    return values;
  }

  /** Every value of a known header, joined as one list value; `undefined` where there is none. */
  joinKnown(id: HeaderId): string | undefined {
    let joined: string | undefined;
    const spans = this.spans;
    for (let at = 0; at < spans.length; at += SPAN) {
      if (spans[at + 3] !== id || spans[at]! < 0) continue;
      joined = joined === undefined ? this.#value(at) : `${joined}, ${this.#value(at)}`;
    }
    const added = this.#added;
    if (added !== null) {
      for (let i = 0; i < added.length; i += 2) {
        if (identifyName(added[i]!) !== id) continue;
        joined = joined === undefined ? added[i + 1]! : `${joined}, ${added[i + 1]!}`;
      }
    }
    return joined;
  }

  /** Removes every field of that name (lower case). */
  delete(lower: string): void {
    const spans = this.spans;
    for (let at = 0; at < spans.length; at += SPAN) if (this.#matches(at, lower)) spans[at] = -1;
    const added = this.#added;
    if (added === null) return;
    for (let i = added.length - 2; i >= 0; i -= 2) if (sameName(added[i]!, lower)) added.splice(i, 2);
  }

  /**
   * Removes every received field whose name some backends read as this one; {@link muteTrailers} will too.
   * @param alike by {@link alikeName}
   */
  deleteAlike(alike: string): void {
    if (this.#unheard === null) this.#unheard = [alike];
    else this.#unheard.push(alike);
    this.#dropAlike(alike);
  }

  #dropAlike(alike: string): void {
    const spans = this.spans;
    for (let at = 0; at < spans.length; at += SPAN) {
      const start = spans[at]!;
      if (start < 0 || spans[at + 1]! - start !== alike.length) continue;
      if (alikeName(this.source.substring(start, spans[at + 1]!)) === alike) spans[at] = -1;
    }
  }

  /** Removes from the message's trailers what {@link deleteAlike} removed here: some backends merge them into the header. */
  muteTrailers(trailers: HeaderList): void {
    if (this.#unheard !== null) for (const alike of this.#unheard) trailers.#dropAlike(alike);
  }

  /** Removes every field whose name (lower case) is in the set, in one pass. */
  deleteNames(names: ReadonlySet<string>): void {
    const spans = this.spans;
    for (let at = 0; at < spans.length; at += SPAN) {
      const start = spans[at]!;
      if (start >= 0 && names.has(this.source.substring(start, spans[at + 1]!).toLowerCase())) spans[at] = -1;
    }
    const added = this.#added;
    if (added === null) return;
    for (let i = added.length - 2; i >= 0; i -= 2) if (names.has(added[i]!.toLowerCase())) added.splice(i, 2);
  }

  /** Removes every received field whose name has a `_`. Returns whether there was one. */
  deleteUnderscored(): boolean {
    const spans = this.spans;
    let found = false;
    for (let at = 0; at < spans.length; at += SPAN) {
      const start = spans[at]!;
      if (start < 0 || !this.source.substring(start, spans[at + 1]!).includes('_')) continue;
      spans[at] = -1;
      found = true;
    }
    return found;
  }

  /** Whether a field is there whose id is marked in `ids`. */
  hasMarked(ids: Uint8Array): boolean {
    const spans = this.spans;
    for (let at = 0; at < spans.length; at += SPAN) if (ids[spans[at + 3]!] === 1 && spans[at]! >= 0) return true;
    const added = this.#added;
    if (added === null) return false;
    for (let i = 0; i < added.length; i += 2) if (ids[identifyName(added[i]!)] === 1) return true;
    return false;
  }

  /** Removes every field whose id is marked in `ids`. */
  deleteMarked(ids: Uint8Array): void {
    const spans = this.spans;
    for (let at = 0; at < spans.length; at += SPAN) if (ids[spans[at + 3]!] === 1) spans[at] = -1;
    const added = this.#added;
    if (added === null) return;
    for (let i = added.length - 2; i >= 0; i -= 2) if (ids[identifyName(added[i]!)] === 1) added.splice(i, 2);
  }

  /** Removes the received fields whose id is marked in `ids` and for which `unwanted` holds. */
  deleteMarkedIf(ids: Uint8Array, unwanted: (name: string, value: string) => boolean): void {
    const spans = this.spans;
    for (let at = 0; at < spans.length; at += SPAN) {
      const start = spans[at]!;
      if (start < 0 || ids[spans[at + 3]!] !== 1) continue;
      if (unwanted(this.source.substring(start, spans[at + 1]!), this.#value(at))) spans[at] = -1;
    }
  }

  /** Adds a field behind those that are there. The caller answers for its characters: see {@link isFieldValue}. */
  append(name: string, value: string): void {
    if (this.#added === null) this.#added = [name, value];
    else this.#added.push(name, value);
  }

  /** Replaces every field of that name by one. */
  set(name: string, value: string): void {
    this.delete(name.toLowerCase());
    this.append(name, value);
  }

  /** Calls back for each field, in order. */
  forEach(visit: (name: string, value: string) => void): void {
    const spans = this.spans;
    for (let at = 0; at < spans.length; at += SPAN) {
      if (spans[at]! >= 0) visit(this.source.substring(spans[at]!, spans[at + 1]!), this.#value(at));
    }
    const added = this.#added;
    if (added === null) return;
    for (let i = 0; i < added.length; i += 2) visit(added[i]!, added[i + 1]!);
  }

  /** Calls back for each field that was received, those removed since too, and none that was added. */
  forEachReceived(visit: (name: string, value: string) => void): void {
    const { source, spans } = this;
    for (let at = 0; at < spans.length; at += SPAN) {
      const colon = spans[at + 1]!;
      const start = spans[at]! >= 0 ? spans[at]! : source.lastIndexOf('\n', colon) + 1;
      visit(source.substring(start, colon), this.#value(at));
    }
  }

  /** The lines `name: value CRLF` of all fields but those whose id is marked in `skip`. Runs of lines are copied whole. */
  lines(skip: Uint8Array): string {
    const spans = this.spans;
    const source = this.source;
    let out = '';
    let from = -1;
    let to = -1;
    for (let at = 0; at < spans.length; at += SPAN) {
      const start = spans[at]!;
      if (start < 0 || skip[spans[at + 3]!] === 1) continue;
      if (start === to) {
        to = spans[at + 2]!;
        continue;
      }
      if (from >= 0) out += source.substring(from, to);
      from = start;
      to = spans[at + 2]!;
    }
    if (from >= 0) out += source.substring(from, to);
    const added = this.#added;
    if (added !== null) {
      for (let i = 0; i < added.length; i += 2) {
        if (skip[identifyName(added[i]!)] !== 1) out += `${added[i]}: ${added[i + 1]}\r\n`;
      }
    }
    return out;
  }
}

/** Whether a text may stand in a field value (no CR, LF, NUL or other control character; latin1). */
export function isFieldValue(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if ((c < 0x20 && c !== 0x09) || c === 0x7f || c > 0xff) return false;
  }
  return true;
}

/** Nothing is skipped. */
export const KEEP_ALL: Uint8Array = new Uint8Array(32);

/** Marks ids for {@link HeaderList.lines} and {@link HeaderList.deleteMarked}. */
export function mark(...ids: readonly HeaderId[]): Uint8Array {
  const marks = new Uint8Array(32);
  for (const id of ids) marks[id] = 1;
  return marks;
}

/** The same for all names that some backends take for one: CGI and its heirs do not tell `_` from `-`. */
export function alikeName(name: string): string {
  return name.toLowerCase().replaceAll('_', '-');
}
