import { escapeText, PLAIN } from './escape.ts';

const SIZE = 64 * 1024;
/** From so many bytes on the runtime copies faster than a loop does. */
const COPY_FROM = 40;
const TEXT_FROM = 192;
const LINE_FEED = 10;
const QUOTE = 0x22;
const ZERO = 0x30;

/**
 * Lines as bytes. Each of its parts is written where it stands in the end: to join them as strings, which V8 keeps as trees of
 * their parts, costs three times as much.
 */
export class LineBuffer {
  #bytes: Buffer = Buffer.allocUnsafeSlow(SIZE);
  #length = 0;
  #lines = 0;

  /** Valid until the next {@link clear}. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  get length(): number {
    return this.#length;
  }

  get lines(): number {
    return this.#lines;
  }

  clear(): void {
    this.#length = 0;
    this.#lines = 0;
    // A line with a huge head is rare, and its room is not kept.
    if (this.#bytes.length > 4 * SIZE) this.#bytes = Buffer.allocUnsafeSlow(SIZE);
  }

  endLine(): void {
    this.byte(LINE_FEED);
    this.#lines++;
  }

  byte(value: number): void {
    if (this.#length === this.#bytes.length) this.#grow(1);
    this.#bytes[this.#length++] = value;
  }

  copy(from: Uint8Array): void {
    const size = from.length;
    if (this.#bytes.length - this.#length < size) this.#grow(size);
    const bytes = this.#bytes;
    const at = this.#length;
    if (size < COPY_FROM) for (let i = 0; i < size; i++) bytes[at + i] = from[i]!;
    else bytes.set(from, at);
    this.#length = at + size;
  }

  /** @param value each of its UTF-16 units is one byte */
  text(value: string): void {
    const size = value.length;
    if (this.#bytes.length - this.#length < size) this.#grow(size);
    const bytes = this.#bytes;
    const at = this.#length;
    if (size < TEXT_FROM) for (let i = 0; i < size; i++) bytes[at + i] = value.charCodeAt(i);
    else bytes.write(value, at, size, 'latin1');
    this.#length = at + size;
  }

  /** What came off the wire, as {@link escapeText} has it. */
  escaped(value: string): void {
    const size = value.length;
    if (this.#bytes.length - this.#length < size) this.#grow(size);
    const bytes = this.#bytes;
    const at = this.#length;
    for (let i = 0; i < size; i++) {
      const c = value.charCodeAt(i);
      if (PLAIN[c] !== 1) {
        this.text(escapeText(value));
        return;
      }
      bytes[at + i] = c;
    }
    this.#length = at + size;
  }

  /** The same between quotes. */
  quoted(value: string): void {
    this.byte(QUOTE);
    this.escaped(value);
    this.byte(QUOTE);
  }

  /** A whole number. */
  integer(value: number): void {
    if (!(value >= 0 && value <= 0xffff_ffff)) {
      this.text(String(value));
      return;
    }
    let rest = value >>> 0;
    const digits = digitsOf(rest);
    if (this.#bytes.length - this.#length < digits) this.#grow(digits);
    const bytes = this.#bytes;
    const at = this.#length;
    for (let i = at + digits - 1; i >= at; i--) {
      const tenth = (rest / 10) >>> 0;
      bytes[i] = ZERO + rest - tenth * 10;
      rest = tenth;
    }
    this.#length = at + digits;
  }

  #grow(size: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(2 * this.#bytes.length, this.#length + size));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

function digitsOf(n: number): number {
  if (n < 1e5) return n < 1e2 ? (n < 10 ? 1 : 2) : n < 1e3 ? 3 : n < 1e4 ? 4 : 5;
  return n < 1e7 ? (n < 1e6 ? 6 : 7) : n < 1e8 ? 8 : n < 1e9 ? 9 : 10;
}
