import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import type { AcmeConfig } from '../../core/config/static.ts';

const generate = promisify(generateKeyPair);
const ENCODING = {
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
} as const;

/** A new private key of a resolver's `keyType`, as PEM. */
export async function newCertificateKey(type: AcmeConfig['keyType']): Promise<string> {
  switch (type) {
    case 'EC256':
    case 'EC384':
      return (await generate('ec', { namedCurve: type === 'EC256' ? 'P-256' : 'P-384', ...ENCODING })).privateKey;
    case 'RSA2048':
    case 'RSA4096':
    case 'RSA8192':
      return (await generate('rsa', { modulusLength: Number(type.slice(3)), ...ENCODING })).privateKey;
  }
}
