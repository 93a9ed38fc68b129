import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';

const HOST = /^(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?$/;
/** Node writes `DNS:a.x, IP Address:::1`, and a value with odd characters as a JSON string. */
const ALTERNATIVE = /(?:^|, )(DNS|IP Address):("(?:[^"\\]|\\.)*"|[^,]*)/g;

/**
 * The names that a certificate is for: DNS names (lower case) and IP addresses of its subject alternative names, or the
 * common name where there are none.
 */
export function certificateNames(certificate: X509Certificate): readonly string[] {
  const names = new Set<string>();
  if (certificate.subjectAltName !== undefined) {
    for (const [, type, value = ''] of certificate.subjectAltName.matchAll(ALTERNATIVE)) {
      const name = type === 'DNS' ? hostName(value) : canonicalAddress(value.trim());
      if (name !== null) names.add(name);
    }
    return [...names];
  }
  const commonName = /^CN=(.+)$/m.exec(certificate.subject)?.[1] ?? '';
  const name = isIP(commonName) === 0 ? hostName(commonName) : canonicalAddress(commonName);
  return name === null ? [] : [name];
}

function hostName(value: string): string | null {
  const name = value.toLowerCase().replace(/\.$/, '');
  return HOST.test(name) ? name : null;
}

/** As `socket.localAddress` writes it: a certificate's `0:0:0:0:0:0:0:1` is `::1` (RFC 5952). */
export function canonicalAddress(value: string): string | null {
  const family = isIP(value);
  if (family === 0) return null;
  return family === 4 ? value : new URL(`http://[${value}]`).hostname.slice(1, -1);
}
