import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import { isIP } from 'node:net';

/** A certificate with its key, as PEM, and the means to sign others with it. */
export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

/** A throw-away CA. */
export interface TestCa extends TestCertificate {
  /** A leaf certificate of this CA, with a new P-256 key. */
  issue(options: LeafOptions): TestCertificate;
}

export interface LeafOptions {
  /** DNS names (wildcards too) and IP addresses. The first is the common name. */
  readonly sans: readonly string[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** A key to use instead of a new one, as PEM. */
  readonly key?: string;
}

const HOUR = 3_600_000;

/** Makes a CA in a few milliseconds: DER written here (RFC 5280), P-256 keys, no command line tool. */
export function makeCa(name = 'Test CA'): TestCa {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const ca = { name, privateKey, publicKey };
  const dates = { notBefore: new Date(Date.now() - HOUR), notAfter: new Date(Date.now() + 24 * HOUR) };
  const cert = makeCertificate({ subject: name, publicKey, issuer: ca, ...dates, extensions: caExtensions(publicKey) });
  return { cert, key: pem(privateKey), issue: (options) => issue(ca, options) };
}

interface Issuer {
  readonly name: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

function issue(ca: Issuer, options: LeafOptions): TestCertificate {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const privateKey = options.key === undefined ? pair.privateKey : createPrivateKey(options.key);
  const publicKey = options.key === undefined ? pair.publicKey : createPublicKey(privateKey);
  const cert = makeCertificate({
    subject: options.sans[0] ?? 'leaf',
    publicKey,
    issuer: ca,
    notBefore: options.notBefore ?? new Date(Date.now() - HOUR),
    notAfter: options.notAfter ?? new Date(Date.now() + 24 * HOUR),
    extensions: leafExtensions(options.sans, publicKey, ca.publicKey),
  });
  return { cert, key: pem(privateKey) };
}

function pem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

interface CertificateFields {
  readonly subject: string;
  readonly publicKey: KeyObject;
  readonly issuer: Issuer;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly extensions: readonly Buffer[];
}

/** RFC 5280 §4.1. */
function makeCertificate(fields: CertificateFields): string {
  const algorithm = sequence(oid('1.2.840.10045.4.3.2')); // ecdsa-with-SHA256
  const serial = randomBytes(16);
  serial[0] = (serial[0]! & 0x7f) | 0x40; // positive, and no leading zero
  const body = sequence(
    tlv(0xa0, integer(Buffer.from([2]))), // v3
    integer(serial),
    algorithm,
    commonName(fields.issuer.name),
    sequence(time(fields.notBefore), time(fields.notAfter)),
    commonName(fields.subject),
    fields.publicKey.export({ type: 'spki', format: 'der' }),
    tlv(0xa3, sequence(...fields.extensions)),
  );
  const signature = sign('sha256', body, fields.issuer.privateKey);
  const der = sequence(body, algorithm, tlv(0x03, Buffer.from([0]), signature));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

function caExtensions(publicKey: KeyObject): Buffer[] {
  return [
    extension('2.5.29.19', sequence(tlv(0x01, Buffer.from([0xff]))), true), // basicConstraints: CA
    extension('2.5.29.15', tlv(0x03, Buffer.from([1, 0x06])), true), // keyUsage: keyCertSign, cRLSign
    extension('2.5.29.14', tlv(0x04, keyId(publicKey))),
  ];
}

function leafExtensions(sans: readonly string[], publicKey: KeyObject, issuerKey: KeyObject): Buffer[] {
  const names = sans.map((san) =>
    isIP(san) === 0 ? tlv(0x82, Buffer.from(san, 'latin1')) : tlv(0x87, addressBytes(san)),
  );
  return [
    extension('2.5.29.15', tlv(0x03, Buffer.from([7, 0x80])), true), // keyUsage: digitalSignature
    extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.1'), oid('1.3.6.1.5.5.7.3.2'))), // serverAuth, clientAuth
    extension('2.5.29.17', sequence(...names)),
    extension('2.5.29.14', tlv(0x04, keyId(publicKey))),
    extension('2.5.29.35', sequence(tlv(0x80, keyId(issuerKey)))),
  ];
}

function keyId(key: KeyObject): Buffer {
  return createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest();
}

function extension(id: string, value: Buffer, critical = false): Buffer {
  return sequence(oid(id), ...(critical ? [tlv(0x01, Buffer.from([0xff]))] : []), tlv(0x04, value));
}

function commonName(name: string): Buffer {
  return sequence(tlv(0x31, sequence(oid('2.5.4.3'), tlv(0x0c, Buffer.from(name)))));
}

/** UTCTime up to 2049, GeneralizedTime from then on (RFC 5280 §4.1.2.5). */
function time(date: Date): Buffer {
  const digits = `${date
    .toISOString()
    .replace(/\.\d+Z$/, '')
    .replace(/\D/g, '')}Z`;
  return date.getUTCFullYear() < 2050 ? tlv(0x17, Buffer.from(digits.slice(2))) : tlv(0x18, Buffer.from(digits));
}

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  const [left = '', right] = address.split('::');
  const groups = (text: string | undefined): string[] => (text ?? '').split(':').filter((group) => group !== '');
  const tail = groups(right);
  const head = groups(left);
  const zeros = new Array<string>(8 - head.length - tail.length).fill('0');
  return Buffer.from([...head, ...zeros, ...tail].map((group) => group.padStart(4, '0')).join(''), 'hex');
}

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const base128 = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) base128.unshift((left & 0x7f) | 0x80);
    bytes.push(...base128);
  }
  return tlv(0x06, Buffer.from(bytes));
}

function integer(value: Buffer): Buffer {
  return tlv(0x02, value);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tlv(0x30, ...parts);
}

function tlv(tag: number, ...parts: readonly Buffer[]): Buffer {
  const value = Buffer.concat(parts);
  const length = value.length;
  const prefix =
    length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(prefix), value]);
}
