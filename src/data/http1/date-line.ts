let second = 0;
let line = '';

/** `Date: <now> CRLF` (RFC 9110 §6.6.1, IMF-fixdate), made anew once a second. */
export function dateLine(): string {
  const now = Math.trunc(Date.now() / 1_000);
  if (now !== second) {
    second = now;
    line = `Date: ${new Date(now * 1_000).toUTCString()}\r\n`;
  }
  return line;
}
