import { createPrivateKey, X509Certificate } from 'node:crypto';
import { certificateNames } from '../tls/certificate-names.ts';
import { AcmeError } from './acme-error.ts';
import type { NameSet } from './names.ts';
import type { AcmeCertificate } from './types.ts';

/** A certificate with what its own text says of it. Times are milliseconds since the epoch. */
export interface HeldCertificate extends AcmeCertificate {
  readonly names: NameSet;
  readonly fingerprint: string;
  readonly serial: string;
  /** The common name of its issuer, or the whole subject where that has none. */
  readonly issuer: string;
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface CertificateParts {
  readonly resolver: string;
  readonly names: NameSet;
  readonly cert: string;
  readonly key: string;
  readonly store: string;
}

/** Reads a certificate. @throws AcmeError where it cannot be parsed, or is not the key's */
export function holdCertificate({ resolver, names, cert, key, store }: CertificateParts): HeldCertificate {
  const [main, ...sans] = names;
  try {
    const x509 = new X509Certificate(cert);
    if (!x509.checkPrivateKey(createPrivateKey(key))) throw new Error('it is not for its private key');
    return {
      ...{ resolver, names, main, sans, cert, key, store },
      fingerprint: x509.fingerprint256,
      serial: x509.serialNumber,
      issuer: /^CN=(.+)$/m.exec(x509.issuer)?.[1] ?? x509.issuer.replaceAll('\n', ', '),
      notBefore: x509.validFromDate.getTime(),
      notAfter: x509.validToDate.getTime(),
    };
  } catch (error) {
    throw new AcmeError('local', `the certificate for ${main} cannot be used: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** The names that were asked for and are not in the certificate. */
export function missingNames(held: HeldCertificate): readonly string[] {
  const there = new Set(certificateNames(new X509Certificate(held.cert)));
  return held.names.filter((name) => !there.has(name));
}
