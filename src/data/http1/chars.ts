/**
 * Byte classes of RFC 9110 §5.6.2 and RFC 9112, as 256-entry tables: one load instead of a chain of comparisons.
 */

function table(accept: (byte: number) => boolean): Uint8Array {
  const t = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) t[byte] = accept(byte) ? 1 : 0;
  return t;
}

const isDigit = (b: number): boolean => b >= 0x30 && b <= 0x39;
const isAlpha = (b: number): boolean => (b >= 0x41 && b <= 0x5a) || (b >= 0x61 && b <= 0x7a);
const oneOf =
  (chars: string) =>
  (b: number): boolean =>
    chars.includes(String.fromCharCode(b));

/** `tchar`: methods, field names, chunk extension names. */
export const TOKEN = table((b) => isDigit(b) || isAlpha(b) || oneOf("!#$%&'*+-.^_`|~")(b));

/** Field values: HTAB, SP, VCHAR, obs-text. No other control character, NUL, CR or LF. */
export const VALUE = table((b) => b === 0x09 || (b >= 0x20 && b !== 0x7f));

/** A request target: visible ASCII without `#` (a fragment is never sent; two parsers disagree about it). */
export const TARGET = table((b) => b > 0x20 && b < 0x7f && b !== 0x23);

/** A registered name or IPv4 address: RFC 3986 `unreserved / pct-encoded / sub-delims`, without the comma of list headers. */
export const HOST_NAME = table((b) => isDigit(b) || isAlpha(b) || oneOf("-._~%!$&'()*+;=")(b));

/** The inside of an IPv6 literal (no zone: it means nothing to another machine). */
export const HOST_LITERAL = table(
  (b) => isDigit(b) || (b >= 0x61 && b <= 0x66) || (b >= 0x41 && b <= 0x46) || oneOf(':.')(b),
);

/** Value of a hexadecimal digit, 255 for anything else. */
export const HEX = new Uint8Array(256).fill(255);
for (let i = 0; i < 16; i++) {
  HEX['0123456789abcdef'.charCodeAt(i)] = i;
  HEX['0123456789ABCDEF'.charCodeAt(i)] = i;
}

export const CR = 0x0d;
export const LF = 0x0a;
export const SP = 0x20;
export const HTAB = 0x09;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;
