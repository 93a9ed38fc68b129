/**
 * The content of a file that the configuration names, as the text that builds work on: UTF-8 without its byte order mark.
 * PKCS#12 is binary: each byte is one character.
 */
export function contentAsText(path: string, bytes: Buffer): string {
  return isPkcs12(path) ? bytes.toString('latin1') : bytes.toString('utf8').replace(/^\uFEFF/, '');
}

/** Whether a path names a PKCS#12 file. */
export function isPkcs12(path: string): boolean {
  return /\.(?:p12|pfx)$/i.test(path);
}
