import type { ErrorCode } from '../../core/errors.ts';
import { H, identify } from '../headers/known.ts';
import { COLON, CR, HTAB, LF, SP, TOKEN, VALUE } from './chars.ts';

/** How far a parser came. `done`: see `end`. */
export type ParseState = 'done' | 'incomplete' | 'failed';

/** Why a head is refused; the code is the client's view, an upstream's bad head is always UPSTREAM_BAD_RESPONSE. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly detail: string;
}

/** What the framing headers of one field section say; filled while parsing so that nobody looks for them again. */
export class Framing {
  /** Fields seen. */
  count = 0;
  hostCount = 0;
  hostStart = 0;
  hostEnd = 0;
  lengthCount = 0;
  /** -1: malformed. */
  length = 0;
  /** Value bounds of the only Transfer-Encoding; more than one field is refused later. */
  codingCount = 0;
  codingStart = 0;
  codingEnd = 0;
  connectionCount = 0;
  upgradeCount = 0;
  expectCount = 0;

  reset(): void {
    this.count = 0;
    this.hostCount = 0;
    this.lengthCount = 0;
    this.length = 0;
    this.codingCount = 0;
    this.connectionCount = 0;
    this.upgradeCount = 0;
    this.expectCount = 0;
  }
}

/**
 * Parses field lines and the empty line that ends them (RFC 9112 §5), strictly: no obs-fold, no space before the colon, no
 * bare CR or LF, no control character. Shared by requests, responses and trailers.
 */
export class FieldParser {
  readonly framing = new Framing();
  /** Where the section ended, behind the empty line. */
  end = 0;
  /** Set when `parse` returned `failed`. */
  refusal: Refusal | null = null;

  /**
   * @param buf the bytes
   * @param from where the first field line starts
   * @param to how far the bytes reach
   * @param origin subtracted from positions in `spans`
   * @param spans receives four numbers for each field (see HeaderList)
   */
  parse(buf: Uint8Array, from: number, to: number, origin: number, spans: number[], maxFields: number): ParseState {
    const framing = this.framing;
    framing.reset();
    this.refusal = null;
    let pos = from;
    for (;;) {
      if (pos >= to) return 'incomplete';
      let byte = buf[pos]!;
      if (byte === CR) {
        if (pos + 1 >= to) return 'incomplete';
        if (buf[pos + 1] !== LF) return this.#fail('CLIENT_BAD_REQUEST', 'a bare CR in the header section');
        this.end = pos + 2;
        return 'done';
      }
      const start = pos;
      while (TOKEN[byte] === 1) {
        pos++;
        if (pos >= to) return 'incomplete';
        byte = buf[pos]!;
      }
      if (byte !== COLON || pos === start) return this.#fail('CLIENT_BAD_REQUEST', nameProblem(byte, pos === start));
      const colon = pos;
      pos++;
      for (;;) {
        if (pos >= to) return 'incomplete';
        byte = buf[pos]!;
        if (VALUE[byte] !== 1) break;
        pos++;
      }
      if (byte !== CR) {
        return this.#fail(
          'CLIENT_BAD_REQUEST',
          byte === LF ? 'a bare LF ends a header line' : 'a control character in a header value',
        );
      }
      if (pos + 1 >= to) return 'incomplete';
      if (buf[pos + 1] !== LF) return this.#fail('CLIENT_BAD_REQUEST', 'a bare CR in a header value');
      const valueEnd = pos;
      pos += 2;
      if (++framing.count > maxFields) {
        return this.#fail('CLIENT_HEADERS_TOO_LARGE', `more than ${maxFields} header fields`);
      }
      const id = identify(buf, start, colon);
      spans.push(start - origin, colon - origin, pos - origin, id);
      if (id !== H.OTHER) this.#note(buf, id, colon + 1, valueEnd);
    }
  }

  #note(buf: Uint8Array, id: number, from: number, to: number): void {
    let start = from;
    let end = to;
    while (start < end && (buf[start] === SP || buf[start] === HTAB)) start++;
    while (end > start && (buf[end - 1] === SP || buf[end - 1] === HTAB)) end--;
    const framing = this.framing;
    switch (id) {
      case H.HOST:
        framing.hostCount++;
        framing.hostStart = start;
        framing.hostEnd = end;
        break;
      case H.CONTENT_LENGTH:
        framing.lengthCount++;
        framing.length = parseLength(buf, start, end);
        break;
      case H.TRANSFER_ENCODING:
        framing.codingCount++;
        framing.codingStart = start;
        framing.codingEnd = end;
        break;
      case H.CONNECTION:
        framing.connectionCount++;
        break;
      case H.UPGRADE:
        framing.upgradeCount++;
        break;
      case H.EXPECT:
        framing.expectCount++;
        break;
    }
  }

  #fail(code: ErrorCode, detail: string): 'failed' {
    this.refusal = { code, detail };
    return 'failed';
  }
}

function nameProblem(byte: number, first: boolean): string {
  if (byte === SP || byte === HTAB) {
    return first ? 'a header line that starts with white space (obs-fold)' : 'white space before the colon of a header';
  }
  if (byte === LF) return 'a bare LF in the header section';
  return first && byte === COLON ? 'a header without a name' : 'an invalid character in a header name';
}

/** Digits alone, at most 15 of them (RFC 9112 §6.3: anything else cannot be framed); -1 for everything else. */
function parseLength(buf: Uint8Array, start: number, end: number): number {
  if (end === start || end - start > 15) return -1;
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = buf[i]! - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** A token, and whatever parameters: nothing in it can match in two ways, so that no value takes longer than its length. */
const CODING = /^[!#$%&'*+\-.^_`|~0-9a-z]+(?:[ \t]*;.*)?$/;

/** What a Transfer-Encoding value asks for: `chunked`, something `unknown` before a final chunked, or nothing that can be framed. */
export function transferCoding(value: string): 'chunked' | 'unknown' | 'bad' {
  const lower = value.toLowerCase();
  if (lower === 'chunked') return 'chunked';
  const codings = lower.split(',').map(withoutWhitespace);
  if (codings.some((c) => !CODING.test(c))) return 'bad';
  if (codings.indexOf('chunked') !== codings.length - 1) return 'bad';
  return 'unknown';
}

/** Not trim(): what JavaScript takes for white space is more than SP and HTAB. */
function withoutWhitespace(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && (text.charCodeAt(start) === SP || text.charCodeAt(start) === HTAB)) start++;
  while (end > start && (text.charCodeAt(end - 1) === SP || text.charCodeAt(end - 1) === HTAB)) end--;
  return text.substring(start, end);
}
