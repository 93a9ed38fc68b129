import { createHash } from 'node:crypto';
import forge from 'node-forge';

/** What a PKCS#12 file (RFC 7292) holds, as PEM; or why it cannot be opened. */
export type Pkcs12 =
  | { readonly ok: true; readonly cert: string; readonly key: string }
  | { readonly ok: false; readonly code: 'tls-p12-password' | 'tls-p12-unreadable'; readonly message: string };

/** Opening one takes a while on purpose, and each build asks again. */
const MAX_KEPT = 64;
const kept = new Map<string, Pkcs12>();

/**
 * Opens a PKCS#12 file with RSA or EC keys, encrypted as OpenSSL 3 does (PBES2, AES) or as older programs do (RC2, 3DES).
 *
 * @param binary its bytes, one character for each
 * @param password empty for none
 */
export function openPkcs12(binary: string, password: string): Pkcs12 {
  const id = createHash('sha256').update(binary, 'latin1').update('\0').update(password).digest('base64');
  let opened = kept.get(id);
  if (opened === undefined) {
    opened = open(binary, password);
    if (kept.size >= MAX_KEPT) kept.delete(kept.keys().next().value!);
    kept.set(id, opened);
  }
  return opened;
}

function open(binary: string, password: string): Pkcs12 {
  let bags: Bags;
  try {
    const parsed = forge.pkcs12.pkcs12FromAsn1(forge.asn1.fromDer(binary), password);
    bags = bagsOf(parsed);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // What forge says where the password is wrong: of the MAC, or of what was decrypted without one.
    const wrong = /invalid password|wrong password|decrypt/i.test(message);
    return { ok: false, code: wrong ? 'tls-p12-password' : 'tls-p12-unreadable', message };
  }
  if (bags.keys.length === 0) return { ok: false, code: 'tls-p12-unreadable', message: 'it holds no private key' };
  if (bags.certs.length === 0) return { ok: false, code: 'tls-p12-unreadable', message: 'it holds no certificate' };
  return {
    ok: true,
    cert: bags.certs.map((der) => pem('CERTIFICATE', der)).join(''),
    key: pem('PRIVATE KEY', bags.keys[0]!),
  };
}

/** DER, one character for each byte. */
interface Bags {
  readonly certs: readonly string[];
  readonly keys: readonly string[];
}

function bagsOf(parsed: forge.pkcs12.Pkcs12Pfx): Bags {
  const { pki, asn1 } = forge;
  const certs: string[] = [];
  const keys: string[] = [];
  for (const { safeBags } of parsed.safeContents) {
    for (const bag of safeBags) {
      // What is no RSA is handed over as it stands: an EC key and its certificate need nothing else.
      if (bag.type === pki.oids.certBag) {
        certs.push(
          asn1.toDer(bag.cert === null || bag.cert === undefined ? bag.asn1 : pki.certificateToAsn1(bag.cert)).data,
        );
      } else if (bag.type === pki.oids.keyBag || bag.type === pki.oids.pkcs8ShroudedKeyBag) {
        const info =
          bag.key === null || bag.key === undefined ? bag.asn1 : pki.wrapRsaPrivateKey(pki.privateKeyToAsn1(bag.key));
        keys.push(asn1.toDer(info).data);
      }
    }
  }
  return { certs, keys };
}

function pem(label: string, der: string): string {
  const lines =
    Buffer.from(der, 'latin1')
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
