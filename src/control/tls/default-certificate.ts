import { generateKeyPair, randomBytes, X509Certificate } from 'node:crypto';
import { promisify } from 'node:util';
import forge from 'node-forge';
import type { CertificateSnapshot } from '../../core/snapshot.ts';

const DAY_MS = 86_400_000;
/** Clients' clocks may be behind ours. */
const BACKDATE_MS = 3_600_000;

/**
 * Makes the certificate that is served where no other covers the name: self-signed, RSA 2048, for one year, with a random
 * name so that nobody comes to rely on it. As Traefik does; the name is ours.
 *
 * @param now milliseconds since the epoch
 */
export async function generateDefaultCertificate(now: number): Promise<CertificateSnapshot> {
  // By OpenSSL on a thread of its own: in JavaScript an RSA key takes seconds.
  const pair = await promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const name = `${randomBytes(16).toString('hex')}.${randomBytes(16).toString('hex')}.phoenix.default`;
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.publicKeyFromPem(pair.publicKey);
  // RFC 5280 section 4.1.2.2: positive, which the leading 01 sees to, and at most 20 bytes.
  certificate.serialNumber = `01${randomBytes(15).toString('hex')}`;
  certificate.validity.notBefore = new Date(now - BACKDATE_MS);
  certificate.validity.notAfter = new Date(now + 365 * DAY_MS);
  const subject = [{ name: 'commonName', value: 'PHOENIX DEFAULT CERT' }];
  certificate.setSubject(subject);
  certificate.setIssuer(subject);
  certificate.setExtensions([
    { name: 'basicConstraints', critical: true, cA: false },
    { name: 'keyUsage', critical: true, digitalSignature: true, keyEncipherment: true },
    { name: 'extKeyUsage', serverAuth: true },
    { name: 'subjectAltName', altNames: [{ type: 2, value: name }] },
  ]);
  certificate.sign(forge.pki.privateKeyFromPem(pair.privateKey), forge.md.sha256.create());
  const cert = forge.pki.certificateToPem(certificate).replaceAll('\r\n', '\n');
  const x509 = new X509Certificate(cert);
  return {
    cert,
    key: pair.privateKey,
    fingerprint: x509.fingerprint256,
    names: [name],
    notBefore: x509.validFromDate.getTime(),
    notAfter: x509.validToDate.getTime(),
    origin: 'generated',
  };
}
