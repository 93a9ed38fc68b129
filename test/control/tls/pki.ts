import { generateKeyPairSync, randomBytes } from 'node:crypto';
import forge from 'node-forge';

const DAY_MS = 86_400_000;

export interface Issued {
  readonly cert: string;
  readonly key: string;
}

export interface IssueRequest {
  readonly commonName?: string;
  readonly dns?: readonly string[];
  readonly ips?: readonly string[];
  /** Milliseconds since the epoch. */
  readonly notBefore?: number;
  readonly notAfter?: number;
  readonly issuer?: Issued;
  readonly isCa?: boolean;
  readonly bits?: number;
}

/** An RSA certificate with any dates: openssl req cannot make an expired one. */
export function issue(request: IssueRequest): Issued {
  const pair = generateKeyPairSync('rsa', {
    modulusLength: request.bits ?? 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.publicKeyFromPem(pair.publicKey);
  certificate.serialNumber = `01${randomBytes(8).toString('hex')}`;
  const now = Date.now();
  certificate.validity.notBefore = new Date(request.notBefore ?? now - DAY_MS);
  certificate.validity.notAfter = new Date(request.notAfter ?? now + DAY_MS);
  const subject = [{ name: 'commonName', value: request.commonName ?? request.dns?.[0] ?? 'nameless' }];
  certificate.setSubject(subject);
  certificate.setIssuer(
    request.issuer === undefined ? subject : forge.pki.certificateFromPem(request.issuer.cert).subject.attributes,
  );
  const altNames = [
    ...(request.dns ?? []).map((value) => ({ type: 2, value })),
    ...(request.ips ?? []).map((ip) => ({ type: 7, ip })),
  ];
  certificate.setExtensions([
    { name: 'basicConstraints', critical: true, cA: request.isCa ?? false },
    ...(altNames.length === 0 ? [] : [{ name: 'subjectAltName', altNames }]),
  ]);
  const signer = request.issuer?.key ?? pair.privateKey;
  certificate.sign(forge.pki.privateKeyFromPem(signer), forge.md.sha256.create());
  return { cert: forge.pki.certificateToPem(certificate).replaceAll('\r\n', '\n'), key: pair.privateKey };
}

/** A reader over a map of paths. */
export function reader(files: Readonly<Record<string, string | Error>>): (path: string) => string | Error {
  return (path) => files[path] ?? Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' });
}
