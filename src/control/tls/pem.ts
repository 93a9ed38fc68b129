/** One block of a PEM file (RFC 7468). */
export interface PemBlock {
  /** `CERTIFICATE`, `PRIVATE KEY`, `RSA PRIVATE KEY`, ... */
  readonly label: string;
  /** The block with its BEGIN and END lines, and a newline at its end. */
  readonly text: string;
}

/** A BEGIN that another one follows was cut off: it must not swallow the next block. */
const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,64})-----(?:(?!-----BEGIN ).)*?-----END \1-----/gs;

/** All whole blocks, in order. Whatever stands between them is commentary. */
export function pemBlocks(text: string): readonly PemBlock[] {
  return [...text.matchAll(BLOCK)].map((match) => ({ label: match[1] ?? '', text: `${match[0]}\n` }));
}

/** Whether a value of the configuration is PEM itself and no path: Traefik's FileOrContent. */
export function isInlinePem(value: string): boolean {
  return value.includes('-----BEGIN ');
}

export function isCertificate(block: PemBlock): boolean {
  return block.label === 'CERTIFICATE' || block.label === 'X509 CERTIFICATE' || block.label === 'TRUSTED CERTIFICATE';
}

export function isPrivateKey(block: PemBlock): boolean {
  return block.label.endsWith('PRIVATE KEY');
}

/** PKCS#8 (RFC 5958) says it in the label, the older form in a header (RFC 1421 section 4.6.1.1). */
export function isEncrypted(block: PemBlock): boolean {
  return block.label === 'ENCRYPTED PRIVATE KEY' || block.text.includes('Proc-Type: 4,ENCRYPTED');
}

/** Says what a text without the wanted blocks seems to be: for messages. */
export function describePem(text: string): string {
  if (text.trim() === '') return 'is empty';
  const labels = new Set(pemBlocks(text).map((block) => block.label));
  if (labels.size > 0) return `holds ${[...labels].join(', ')}`;
  if (isInlinePem(text)) return 'is cut off in the middle of a PEM block';
  if (text.charCodeAt(0) === 0x30) return 'is DER (binary), not PEM';
  return 'is not PEM';
}
