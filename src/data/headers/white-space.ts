/** Takes off the white space of RFC 9110 §5.6.3; `trim()` would take a no-break space, which is obs-text, too. */
export function trimSpace(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && isSpace(text.charCodeAt(from))) from++;
  while (to > from && isSpace(text.charCodeAt(to - 1))) to--;
  return text.substring(from, to);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
