import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { Diagnostic } from '../../core/diagnostic.ts';
import type { CertificateSnapshot } from '../../core/snapshot.ts';
import { isPkcs12 } from '../files/content.ts';
import { certificateNames } from './certificate-names.ts';
import { type Content, fileOrContent, type Place, type ReadFile } from './file-or-content.ts';
import { describePem, isCertificate, isEncrypted, isPrivateKey, pemBlocks } from './pem.ts';
import { openPkcs12 } from './pkcs12.ts';

export interface LoadKeyPairInput {
  /** Each a path, or PEM in place. A `certFile` that is PKCS#12 holds the key as well. */
  readonly certFile: string;
  readonly keyFile?: string;
  /** Of a PKCS#12 file: the password, or a file whose first line it is. */
  readonly password?: string;
  readonly passwordFile?: string;
  readonly read: ReadFile;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Where it came from, for people; the path of the certificate or `inline` where absent. */
  readonly origin?: string;
  /** Where it stands in the configuration; goes into the diagnostics. */
  readonly place?: Place;
}

export interface LoadedKeyPair {
  /** Null where there is an error among the diagnostics. */
  readonly certificate: CertificateSnapshot | null;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Loads a certificate with its chain and its key, and finds everything out that would make handshakes fail later. What
 * cannot be served is an error. What can be is a warning, expiry among them: a client that does not look goes on working.
 */
export function loadKeyPair(input: LoadKeyPairInput): LoadedKeyPair {
  const place = input.place ?? {};
  const diagnostics: Diagnostic[] = [];
  const { cert, key } = readPair(input, place);
  if (!cert.ok) diagnostics.push(cert.diagnostic);
  if (!key.ok && key !== cert) diagnostics.push(key.diagnostic);
  if (!cert.ok || !key.ok) return { certificate: null, diagnostics };
  const report = (severity: 'error' | 'warning', code: string, message: string, hint?: string): void => {
    diagnostics.push({ severity, code, message, ...(hint === undefined ? {} : { hint }), ...place });
  };
  const who = cert.source === 'inline' ? 'the inline certificate' : `the certificate ${cert.source}`;
  const whoseKey = key.source === 'inline' ? 'the inline private key' : `the private key ${key.source}`;

  const chain = readChain(cert.text, who, report);
  const privateKey = readKey(key.text, whoseKey, report);
  if (chain === null || privateKey === null) return { certificate: null, diagnostics };

  const ordered = orderChain(chain, privateKey.key);
  if (ordered === null) {
    report(
      'error',
      'tls-key-mismatch',
      `${whoseKey} does not belong to ${who}`,
      'compare: openssl x509 -noout -pubkey -in CERT, openssl pkey -pubout -in KEY; perhaps only one of them was replaced',
    );
    return { certificate: null, diagnostics };
  }
  if (ordered.some((entry, i) => entry !== chain[i])) {
    const hint = 'write the server certificate first, then each issuer after what it signed';
    report('warning', 'tls-chain-order', `${who} has its chain in the wrong order; it is served sorted`, hint);
  }
  const [leaf] = ordered;
  if (leaf === undefined) return { certificate: null, diagnostics };

  const weakness = findWeakness(leaf.x509, privateKey.key, cert.text, privateKey.pem);
  if (weakness !== null) {
    report(
      'error',
      'tls-certificate-weak',
      `${who} is refused by OpenSSL: ${weakness}`,
      'issue a new one with a P-256 or RSA 2048 key and SHA-256',
    );
    return { certificate: null, diagnostics };
  }
  const names = certificateNames(leaf.x509);
  if (names.length === 0) {
    report(
      'warning',
      'tls-certificate-nameless',
      `${who} names no host`,
      'it can only serve as the default certificate: issue one with subject alternative names',
    );
  }
  const notBefore = leaf.x509.validFromDate.getTime();
  const notAfter = leaf.x509.validToDate.getTime();
  if (notAfter < input.now) {
    report(
      'warning',
      'tls-certificate-expired',
      `${who} (${names.join(', ')}) expired at ${iso(notAfter)}`,
      'clients refuse it: renew it',
    );
  } else if (expiresSoon(notBefore, notAfter, input.now)) {
    report(
      'warning',
      'tls-certificate-expires-soon',
      `${who} (${names.join(', ')}) expires at ${iso(notAfter)}`,
      'renew it',
    );
  } else if (notBefore > input.now) {
    report(
      'warning',
      'tls-certificate-not-yet-valid',
      `${who} (${names.join(', ')}) is valid only from ${iso(notBefore)}`,
      `check the clock: it is ${iso(input.now)} here`,
    );
  }
  const stale = ordered.slice(1).find((issuer) => issuer.x509.validToDate.getTime() < input.now);
  if (stale !== undefined) {
    report(
      'warning',
      'tls-issuer-expired',
      `the issuer ${oneLine(stale.x509.subject)} in ${who} expired at ${stale.x509.validTo}`,
      'fetch the new chain from the authority',
    );
  }
  const certificate: CertificateSnapshot = {
    cert: ordered.map((entry) => entry.pem).join(''),
    key: privateKey.pem,
    fingerprint: leaf.x509.fingerprint256,
    names,
    notBefore,
    notAfter,
    origin: input.origin ?? cert.source,
  };
  return { certificate, diagnostics };
}

const SOON_MS = 14 * 86_400_000;

/** In the last fifth of its time, and in two weeks at most: a certificate for a day is not always about to expire. */
function expiresSoon(notBefore: number, notAfter: number, now: number): boolean {
  return now >= notBefore && notAfter - now < Math.min(SOON_MS, (notAfter - notBefore) / 5);
}

interface PairContent {
  readonly cert: Content;
  readonly key: Content;
}

/** The texts of both. Where they come from one file, a failure is one finding: the same object twice. */
function readPair(input: LoadKeyPairInput, place: Place): PairContent {
  const { certFile, keyFile, read } = input;
  const cert = fileOrContent(certFile, 'certificate', read, place);
  if (!isPkcs12(certFile)) return { cert, key: fileOrContent(keyFile ?? '', 'private key', read, place) };
  if (!cert.ok) return { cert, key: cert };
  const password = passwordOf(input, place);
  if (typeof password !== 'string') return { cert: password, key: password };
  const opened = openPkcs12(cert.text, password);
  if (opened.ok) {
    return {
      cert: { ok: true, text: opened.cert, source: certFile },
      key: { ok: true, text: opened.key, source: certFile },
    };
  }
  const wrong = opened.code === 'tls-p12-password';
  const diagnostic: Diagnostic = {
    severity: 'error',
    code: opened.code,
    message: wrong
      ? `${certFile} cannot be opened ${password === '' ? 'without a password' : 'with this password'}`
      : `${certFile} cannot be read as PKCS#12: ${opened.message}`,
    hint: wrong
      ? 'write `password` or `passwordFile` beside `certFile`; try it with: openssl pkcs12 -noout -in FILE'
      : 'it is damaged, or no PKCS#12 at all: openssl pkcs12 -info -noout -in FILE',
    ...place,
  };
  const failed: Content = { ok: false, diagnostic };
  return { cert: failed, key: failed };
}

function passwordOf(input: LoadKeyPairInput, place: Place): string | Extract<Content, { ok: false }> {
  if (input.password !== undefined) return input.password;
  if (input.passwordFile === undefined) return '';
  const file = fileOrContent(input.passwordFile, 'password file', input.read, place);
  return file.ok ? (file.text.split(/\r?\n/, 1)[0] ?? '') : file;
}

type Report = (severity: 'error' | 'warning', code: string, message: string, hint?: string) => void;

interface ChainEntry {
  readonly x509: X509Certificate;
  readonly pem: string;
}

function readChain(text: string, who: string, report: Report): readonly ChainEntry[] | null {
  const blocks = pemBlocks(text).filter(isCertificate);
  if (blocks.length === 0) {
    const swapped = pemBlocks(text).some(isPrivateKey);
    const hint = swapped ? 'are certFile and keyFile swapped?' : 'it must be PEM: openssl x509 -inform der converts';
    report('error', 'tls-certificate-missing', `${who} ${describePem(text)}, and no certificate`, hint);
    return null;
  }
  const chain: ChainEntry[] = [];
  for (const [index, block] of blocks.entries()) {
    try {
      chain.push({ x509: new X509Certificate(block.text), pem: block.text });
    } catch (error) {
      const which = blocks.length === 1 ? '' : `, block ${index + 1} of ${blocks.length}`;
      const hint = 'it is damaged, or was read while it was being written';
      report('error', 'tls-certificate-unreadable', `${who}${which} cannot be parsed: ${messageOf(error)}`, hint);
      return null;
    }
  }
  return chain;
}

function readKey(text: string, who: string, report: Report): { key: KeyObject; pem: string } | null {
  const block = pemBlocks(text).find(isPrivateKey);
  if (block === undefined) {
    const swapped = pemBlocks(text).some(isCertificate);
    report(
      'error',
      'tls-key-missing',
      `${who} ${describePem(text)}, and no private key`,
      swapped ? 'are certFile and keyFile swapped?' : 'it must be PEM: -----BEGIN PRIVATE KEY-----',
    );
    return null;
  }
  if (isEncrypted(block)) {
    report(
      'error',
      'tls-key-encrypted',
      `${who} is encrypted`,
      'the proxy starts unattended and has no passphrase: openssl pkey -in KEY -out PLAIN, and guard it with file permissions',
    );
    return null;
  }
  try {
    return { key: createPrivateKey(block.text), pem: block.text };
  } catch (error) {
    report(
      'error',
      'tls-key-unreadable',
      `${who} cannot be parsed: ${messageOf(error)}`,
      'it is damaged, or was read while it was being written',
    );
    return null;
  }
}

/** The certificate of the key first, then each issuer after what it signed, then what belongs to neither. Null: none is the key's. */
function orderChain(chain: readonly ChainEntry[], key: KeyObject): readonly ChainEntry[] | null {
  let current = chain.find((entry) => entry.x509.checkPrivateKey(key));
  if (current === undefined) return null;
  const rest = new Set(chain);
  const ordered: ChainEntry[] = [];
  while (current !== undefined) {
    ordered.push(current);
    rest.delete(current);
    const subject: X509Certificate = current.x509;
    current = [...rest].find((issuer) => subject.checkIssued(issuer.x509));
  }
  return [...ordered, ...rest];
}

/** Asks OpenSSL itself, where there is reason to: loading each of ten thousand certificates twice would take seconds. */
function findWeakness(leaf: X509Certificate, key: KeyObject, cert: string, pem: string): string | null {
  const bits = key.asymmetricKeyDetails?.modulusLength;
  const suspicious = (bits !== undefined && bits < 2048) || /sha1|md5/i.test(leaf.signatureAlgorithm ?? '');
  if (!suspicious) return null;
  try {
    createSecureContext({ cert, key: pem, ca: [] });
    return null;
  } catch (error) {
    return messageOf(error);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function iso(time: number): string {
  return Number.isFinite(time) ? new Date(time).toISOString() : 'an unreadable date';
}

function oneLine(subject: string): string {
  return subject.replaceAll('\n', ', ');
}
