import { CR, LF } from './chars.ts';

const FIRST_SIZE = 2_048;

/** What {@link HeadBuffer.push} found: the head may be complete now, needs more, is longer than allowed, or has a bare LF. */
export type HeadProgress = 'complete' | 'incomplete' | 'too-long' | 'bare-lf';

/**
 * Collects a head that arrives in pieces. It looks at each byte once, so a head of a million one-byte pieces costs as
 * much as one in a single piece, and it never holds more than its limit.
 */
export class HeadBuffer {
  #bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_SIZE);
  #length = 0;
  #scanned = 0;
  /** Length of the current line so far, without its CRLF. */
  #line = 0;
  #lines = 0;

  get bytes(): Buffer {
    return this.#bytes;
  }

  get length(): number {
    return this.#length;
  }

  /** Complete lines so far: 0 means that the first line has not ended. */
  get lines(): number {
    return this.#lines;
  }

  /** Appends; bytes behind the head are kept too (they are the body's, or the next request's). */
  push(chunk: Uint8Array, max: number): HeadProgress {
    const needed = this.#length + chunk.length;
    if (needed > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
      this.#bytes.copy(grown, 0, 0, this.#length);
      this.#bytes = grown;
    }
    this.#bytes.set(chunk, this.#length);
    this.#length = needed;
    const bytes = this.#bytes;
    for (let i = this.#scanned; i < needed; i++) {
      if (bytes[i] !== LF) {
        this.#line++;
        continue;
      }
      if (i === 0 || bytes[i - 1] !== CR) return 'bare-lf';
      // An empty line is only its CR; the one tolerated before a request line does not end the head.
      if (this.#line === 1 && this.#lines > 0) return i + 1 > max ? 'too-long' : 'complete';
      if (this.#line > 1) this.#lines++;
      this.#line = 0;
    }
    this.#scanned = needed;
    return needed > max ? 'too-long' : 'incomplete';
  }
}
