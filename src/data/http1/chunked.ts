import { HeaderList } from '../headers/header-list.ts';
import { H } from '../headers/known.ts';
import { latin1 } from '../latin1.ts';
import { CR, HEX, HTAB, LF, SEMICOLON, SP, TOKEN, VALUE } from './chars.ts';
import { FieldParser } from './fields.ts';
import { MAX_EXTENSION_BYTES, MAX_TRAILER_BYTES, MAX_TRAILER_FIELDS } from './limits.ts';

/** Receives the payload of a body. */
export interface ChunkSink {
  onChunk(payload: Buffer): void;
}

const SIZE = 0;
const EXT_NAME = 1;
const EXT_VALUE = 2;
const EXT_QUOTED = 3;
const EXT_QUOTED_PAIR = 4;
const EXT_AFTER_QUOTED = 5;
/** White space behind a size or a value: only a `;` may follow. */
const EXT_BEFORE_SEMICOLON = 6;
/** White space behind a name: a `=` or a `;` may follow. */
const EXT_AFTER_NAME = 7;
const SIZE_LF = 8;
const DATA = 9;
const DATA_CR = 10;
const DATA_LF = 11;
const TRAILER = 12;
const DONE = 13;
const FAILED = 14;

const trailerParser = new FieldParser();

/** Fields that frame, route or authenticate a message mean nothing, or harm, behind it (RFC 9110 §6.5.1). */
const FORBIDDEN_TRAILERS = new Set([
  'authorization',
  'cookie',
  'set-cookie',
  'content-encoding',
  'content-type',
  'content-range',
  'cache-control',
  // What modifies the request.
  'range',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'max-forwards',
  'pragma',
  // What controls the response.
  'age',
  'expires',
  'location',
  'retry-after',
  'vary',
  'www-authenticate',
]);

/**
 * Decoder of the chunked coding (RFC 9112 §7.1), strict: hexadecimal sizes of at most 13 digits, extensions with a name, CRLF
 * and nothing else. White space around `;` and `=` is read over, as it must be (BWS, RFC 9110 §5.6.3). Extensions are dropped,
 * as an intermediary may; trailers are kept.
 */
export class ChunkedDecoder {
  /** Why it failed. */
  problem = '';
  trailers: HeaderList | null = null;
  #state = SIZE;
  #size = 0;
  #digits = 0;
  #extensionBytes = 0;
  #extensionName = 0;
  #trailerBytes: Buffer | null = null;

  get done(): boolean {
    return this.#state === DONE;
  }

  get failed(): boolean {
    return this.#state === FAILED;
  }

  /** Consumes bytes and returns how far it came: `to`, or less when the body ended (`done`) or is malformed (`failed`). */
  feed(buf: Buffer, from: number, to: number, sink: ChunkSink): number {
    let pos = from;
    while (pos < to) {
      switch (this.#state) {
        case SIZE: {
          const byte = buf[pos]!;
          const digit = HEX[byte]!;
          if (digit !== 255) {
            if (++this.#digits > 13) return this.#fail('a chunk size of more than 13 digits', pos);
            this.#size = this.#size * 16 + digit;
          } else if (this.#digits === 0) {
            return this.#fail('a chunk without a size', pos);
          } else if (byte === CR) {
            this.#state = SIZE_LF;
          } else if (byte === SEMICOLON) {
            this.#state = EXT_NAME;
            this.#extensionName = 0;
          } else if (byte === SP || byte === HTAB) {
            this.#state = EXT_BEFORE_SEMICOLON;
          } else {
            return this.#fail('an invalid character in a chunk size', pos);
          }
          pos++;
          break;
        }
        case EXT_NAME:
        case EXT_VALUE:
        case EXT_QUOTED:
        case EXT_QUOTED_PAIR:
        case EXT_AFTER_QUOTED:
        case EXT_BEFORE_SEMICOLON:
        case EXT_AFTER_NAME:
          if (++this.#extensionBytes > MAX_EXTENSION_BYTES) return this.#fail('too many chunk extensions', pos);
          if (!this.#extension(buf[pos]!)) return this.#fail('a malformed chunk extension', pos);
          pos++;
          break;
        case SIZE_LF:
          if (buf[pos] !== LF) return this.#fail('a bare CR behind a chunk size', pos);
          pos++;
          this.#digits = 0;
          this.#state = this.#size === 0 ? TRAILER : DATA;
          break;
        case DATA: {
          const take = Math.min(this.#size, to - pos);
          sink.onChunk(pos === 0 && take === buf.length ? buf : buf.subarray(pos, pos + take));
          pos += take;
          this.#size -= take;
          if (this.#size === 0) this.#state = DATA_CR;
          break;
        }
        case DATA_CR:
          if (buf[pos] !== CR) return this.#fail('a chunk longer than its size', pos);
          pos++;
          this.#state = DATA_LF;
          break;
        case DATA_LF:
          if (buf[pos] !== LF) return this.#fail('a bare CR behind a chunk', pos);
          pos++;
          this.#state = SIZE;
          break;
        case TRAILER:
          return this.#trailer(buf, pos, to);
        default:
          return pos;
      }
    }
    return pos;
  }

  #extension(byte: number): boolean {
    switch (this.#state) {
      case EXT_NAME:
        if (TOKEN[byte] === 1) {
          this.#extensionName++;
          return true;
        }
        if (byte === SP || byte === HTAB) {
          if (this.#extensionName > 0) this.#state = EXT_AFTER_NAME;
          return true;
        }
        return this.#extensionName > 0 && this.#afterName(byte);
      case EXT_AFTER_NAME:
        if (byte === SP || byte === HTAB) return true;
        return byte !== CR && this.#afterName(byte);
      case EXT_VALUE:
        if (TOKEN[byte] === 1) {
          this.#extensionName++;
          return true;
        }
        if (byte === 0x22 && this.#extensionName === 0) {
          this.#state = EXT_QUOTED;
          return true;
        }
        if (byte === SP || byte === HTAB) {
          if (this.#extensionName > 0) this.#state = EXT_BEFORE_SEMICOLON;
          return true;
        }
        return this.#extensionName > 0 && this.#extensionEnd(byte);
      case EXT_QUOTED:
        if (byte === 0x22) this.#state = EXT_AFTER_QUOTED;
        else if (byte === 0x5c) this.#state = EXT_QUOTED_PAIR;
        else return VALUE[byte] === 1;
        return true;
      case EXT_QUOTED_PAIR:
        this.#state = EXT_QUOTED;
        return VALUE[byte] === 1;
      case EXT_BEFORE_SEMICOLON:
        if (byte === SP || byte === HTAB) return true;
        return byte === SEMICOLON && this.#extensionEnd(byte);
      default:
        if (byte === SP || byte === HTAB) {
          this.#state = EXT_BEFORE_SEMICOLON;
          return true;
        }
        return this.#extensionEnd(byte);
    }
  }

  #afterName(byte: number): boolean {
    if (byte !== 0x3d) return this.#extensionEnd(byte);
    this.#state = EXT_VALUE;
    this.#extensionName = 0;
    return true;
  }

  #extensionEnd(byte: number): boolean {
    if (byte === CR) this.#state = SIZE_LF;
    else if (byte === SEMICOLON) this.#state = EXT_NAME;
    else return false;
    this.#extensionName = 0;
    return true;
  }

  #trailer(buf: Buffer, pos: number, to: number): number {
    // The common case: no trailers, the final CRLF in the same piece.
    if (this.#trailerBytes === null && to - pos >= 2 && buf[pos] === CR && buf[pos + 1] === LF) {
      this.#state = DONE;
      return pos + 2;
    }
    const held = this.#trailerBytes?.length ?? 0;
    const bytes =
      held === 0 ? Buffer.from(buf.subarray(pos, to)) : Buffer.concat([this.#trailerBytes!, buf.subarray(pos, to)]);
    const spans: number[] = [];
    const state = trailerParser.parse(bytes, 0, bytes.length, 0, spans, MAX_TRAILER_FIELDS);
    if (state === 'failed') return this.#fail(trailerParser.refusal?.detail ?? 'malformed trailers', pos);
    if (state === 'incomplete') {
      if (bytes.length > MAX_TRAILER_BYTES) return this.#fail('the trailers are too large', pos);
      this.#trailerBytes = bytes;
      return to;
    }
    const end = trailerParser.end;
    const { lengthCount, codingCount, hostCount } = trailerParser.framing;
    // Some readers merge them, and llhttp refuses the message: whoever sends them is up to no good.
    if (lengthCount + codingCount + hostCount > 0) {
      return this.#fail('a trailer that frames or routes', pos);
    }
    this.#state = DONE;
    this.#trailerBytes = null;
    if (spans.length > 0) this.trailers = passable(new HeaderList(latin1(bytes, 0, end), spans));
    return pos + (end - held);
  }

  #fail(problem: string, pos: number): number {
    this.problem = problem;
    this.#state = FAILED;
    return pos;
  }
}

function passable(trailers: HeaderList): HeaderList | null {
  for (let at = 0; at < trailers.spans.length; at += 4) {
    const name = trailers.source.substring(trailers.spans[at]!, trailers.spans[at + 1]!).toLowerCase();
    if (trailers.spans[at + 3] !== H.OTHER || FORBIDDEN_TRAILERS.has(name)) trailers.spans[at] = -1;
  }
  for (let at = 0; at < trailers.spans.length; at += 4) if (trailers.spans[at]! >= 0) return trailers;
  return null;
}
