/** The bytes as text, one character a byte: what heads are made of (RFC 9110 §5.5). */
export function latin1(buf: Buffer, from: number, to: number): string {
  return buf.toString('latin1', from, to);
}
