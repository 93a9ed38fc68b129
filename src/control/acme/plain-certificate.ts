import type { HeldCertificate } from './held-certificate.ts';
import type { AcmeCertificate } from './types.ts';

const plains = new WeakMap<HeldCertificate, AcmeCertificate>();

/** What the outside sees of a certificate: the same object as long as it is the same certificate. */
export function plainCertificate(held: HeldCertificate): AcmeCertificate {
  const known = plains.get(held);
  if (known !== undefined) return known;
  const { resolver, main, sans, cert, key, store } = held;
  const certificate = { resolver, main, sans, cert, key, store };
  plains.set(held, certificate);
  return certificate;
}
