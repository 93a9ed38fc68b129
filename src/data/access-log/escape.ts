const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** 1: stands in a quoted text as it is. */
export const PLAIN = new Uint8Array(128).fill(1, 0x20, 0x7f);
PLAIN[0x22] = 0;
PLAIN[0x5c] = 0;

/**
 * What came off the wire, between quotes: for a JSON string, and for a quoted field of the common format alike. Nothing
 * that comes out can end the string or the line, or move a terminal's cursor. Bytes beyond ASCII (obs-text, RFC 9110
 * section 5.5) are shown as the UTF-8 they are, or else as `\u00xx`.
 *
 * @param text each UTF-16 unit is one byte where it is a message's; other text is taken as it is
 * @returns text of which each UTF-16 unit is one byte
 */
export function escapeText(text: string): string {
  for (let i = 0; i < text.length; i++) {
    if (PLAIN[text.charCodeAt(i)] !== 1) return escapeSlowly(text);
  }
  return text;
}

function escapeSlowly(text: string): string {
  const { text: readable, lossless } = asUtf8(text);
  let out = '';
  let ascii = true;
  for (let i = 0; i < readable.length; i++) {
    const c = readable.charCodeAt(i);
    if (c === 0x22) out += '\\"';
    else if (c === 0x5c) out += '\\\\';
    else if (c < 0x80 && PLAIN[c] === 1) out += readable[i];
    else if (c >= 0x80 && lossless && !isDangerous(c)) {
      out += readable[i];
      ascii = false;
    } else out += `\\u${c.toString(16).padStart(4, '0')}`;
  }
  return ascii ? out : Buffer.from(out, 'utf8').toString('latin1');
}

/** C1 controls, line and paragraph separators, marks that turn the reading direction, the byte order mark. */
function isDangerous(c: number): boolean {
  return (
    c < 0xa0 ||
    c === 0x2028 ||
    c === 0x2029 ||
    (c >= 0x202a && c <= 0x202e) ||
    (c >= 0x2066 && c <= 0x2069) ||
    c === 0xfeff
  );
}

function asUtf8(text: string): { text: string; lossless: boolean } {
  let beyondAscii = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    // Not bytes of a message, then: text of our own.
    if (c > 0xff) return { text, lossless: text.isWellFormed() };
    if (c > 0x7f) beyondAscii = true;
  }
  if (!beyondAscii) return { text, lossless: true };
  try {
    return { text: UTF8.decode(Buffer.from(text, 'latin1')), lossless: true };
  } catch {
    // Not UTF-8: some other encoding, or an attack. Each byte is shown for itself.
    return { text, lossless: false };
  }
}
