import { CR } from './chars.ts';
import type { ParseState, Refusal } from './fields.ts';
import { HeadBuffer } from './head-buffer.ts';
import type { HeadLimits } from './limits.ts';
import { type RequestHead, RequestParser } from './request-head.ts';

/** A head in pieces is parsed anew at each of them while it is this short; later only as lines end. */
const EAGER_LIMIT = 4_096;

/** Serves all connections: what it found lies here until the next head is read. */
const parser = new RequestParser();
let bytes: Buffer = Buffer.alloc(0);

/** Reads the heads of one connection's requests, which may come in pieces. */
export class RequestReader {
  #buffer: HeadBuffer | null = null;

  /** A part of a head has come. An empty line is none: old clients end a body with one (RFC 9112 §2.2). */
  get begun(): boolean {
    const buffer = this.#buffer;
    return buffer !== null && (buffer.length > 2 || buffer.bytes[0] !== CR);
  }

  /** Bytes of memory that the part of a head takes. */
  get held(): number {
    return this.#buffer === null ? 0 : this.#buffer.bytes.length;
  }

  /**
   * Reads a head, or goes on with one. `done`: there are {@link head}, and {@link bytes} from {@link end} on are behind it.
   * `failed`: there is {@link refusal}. Both are valid until the next call, for whatever connection.
   */
  read(chunk: Buffer, limits: HeadLimits): ParseState {
    if (this.#buffer === null) {
      const state = parser.parse(chunk, 0, chunk.length, limits);
      bytes = chunk;
      if (state !== 'incomplete') return state;
      this.#buffer = new HeadBuffer();
    }
    const buffer = this.#buffer;
    const { lines } = buffer;
    const progress = buffer.push(chunk, limits.maxHeadBytes);
    // Each line is judged as it ends, and a short head at every piece: what is wrong by now is refused now.
    if (progress !== 'incomplete' || buffer.lines > lines || buffer.length < EAGER_LIMIT) {
      const state = this.#parse(limits);
      if (state === 'done') {
        bytes = buffer.bytes.subarray(0, buffer.length);
        this.#buffer = null;
      }
      if (state !== 'incomplete') return state;
    }
    if (buffer.lines === 0 && buffer.length > limits.maxLineBytes) {
      // Whether it is the method or the target that does not end.
      if (this.#parse(limits) === 'failed') return 'failed';
      return parser.fail('CLIENT_URI_TOO_LONG', `the request line is longer than ${limits.maxLineBytes} bytes`);
    }
    if (progress === 'too-long') {
      return parser.fail('CLIENT_HEADERS_TOO_LARGE', `the head is longer than ${limits.maxHeadBytes} bytes`);
    }
    if (progress !== 'incomplete') return parser.fail('CLIENT_BAD_REQUEST', 'the head cannot be read');
    return 'incomplete';
  }

  get head(): RequestHead {
    return parser.head!;
  }

  get bytes(): Buffer {
    return bytes;
  }

  get end(): number {
    return parser.end;
  }

  get refusal(): Refusal {
    return parser.refusal!;
  }

  /** Whether the last method that was read is HEAD: a refusal must have no body. */
  get isHead(): boolean {
    return parser.isHead;
  }

  /** Gives up a head that does not go on. {@link isHead} is of it then. */
  abandon(limits: HeadLimits): void {
    this.#parse(limits);
    this.#buffer = null;
  }

  clear(): void {
    this.#buffer = null;
  }

  #parse(limits: HeadLimits): ParseState {
    const buffer = this.#buffer!;
    return parser.parse(buffer.bytes, 0, buffer.length, limits);
  }
}
