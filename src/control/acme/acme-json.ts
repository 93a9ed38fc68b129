import { createPrivateKey, type KeyObject } from 'node:crypto';
import { AcmeError } from './acme-error.ts';
import { type HeldCertificate, holdCertificate } from './held-certificate.ts';
import { nameSet, setKey } from './names.ts';

/**
 * Traefik's acme.json: `{resolver: {Account: {Email, Registration: {body, uri}, PrivateKey, KeyType}, Certificates: [{domain:
 * {main, sans}, certificate, key, Store}]}}`, binary values in base64. Kept as the tree it is, so that what we do not know
 * in it (fields, other resolvers) is written back as it was.
 */
export type AcmeTree = { [resolver: string]: Json };
type Json = Record<string, unknown>;

export interface StoredAccount {
  readonly email: string;
  /** PEM. */
  readonly key: string;
  /** The account's URL at the CA; absent before it is registered. */
  readonly uri?: string;
}

/** @throws AcmeError that says what is wrong with the text; of type `torn` where it began as one of ours */
export function parseAcmeJson(text: string): AcmeTree {
  if (text.trim() === '') return {};
  let tree: unknown;
  try {
    tree = JSON.parse(text);
  } catch (error) {
    // Bytes that a crash left unwritten read as zeros.
    const torn = /^[\s\0]*(?:\{|$)/.test(text);
    throw new AcmeError(
      'local',
      torn ? `it is torn or damaged: ${(error as Error).message}` : "it is not JSON, and so not Traefik's acme.json",
      { ...(torn ? { type: 'torn' } : {}), cause: error },
    );
  }
  if (!isObject(tree)) throw new AcmeError('local', "it is JSON, and not Traefik's acme.json: no object of resolvers");
  if ('DomainsCertificate' in tree) {
    throw new AcmeError('local', 'it is in the format of Traefik 1: let Traefik 2 or its migration tool convert it');
  }
  for (const [resolver, part] of Object.entries(tree)) {
    if (part === null) continue;
    const known = isObject(part) && isShape(part);
    if (!known) throw new AcmeError('local', `it is JSON, and not Traefik's acme.json: see \`${resolver}\``);
  }
  return tree as AcmeTree;
}

export function formatAcmeJson(tree: AcmeTree): string {
  return JSON.stringify(tree, null, 2);
}

/** The resolver's account. Null: there is none, or its key cannot be read, which is said. */
export function readAccount(
  tree: AcmeTree,
  resolver: string,
  complain: (problem: string) => void,
): StoredAccount | null {
  const account = partOf(tree, resolver).Account;
  if (!isObject(account) || typeof account.PrivateKey !== 'string' || account.PrivateKey === '') return null;
  const key = decodeAccountKey(Buffer.from(account.PrivateKey, 'base64'));
  if (key === null) {
    complain(`the account key of the resolver \`${resolver}\` cannot be read: a new account will be made`);
    return null;
  }
  const uri = isObject(account.Registration) ? account.Registration.uri : undefined;
  return {
    email: typeof account.Email === 'string' ? account.Email : '',
    key: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    ...(typeof uri === 'string' && uri !== '' ? { uri } : {}),
  };
}

/** Puts an account in. Traefik reads its key as PKCS#1, which is why account keys are RSA. */
export function writeAccount(tree: AcmeTree, resolver: string, account: StoredAccount, keyType: string): void {
  const part = partOf(tree, resolver);
  const before = isObject(part.Account) ? part.Account : {};
  const contact = account.email === '' ? [] : [`mailto:${account.email}`];
  part.Account = {
    ...before,
    Email: account.email,
    Registration: account.uri === undefined ? null : { body: { status: 'valid', contact }, uri: account.uri },
    PrivateKey: encodeAccountKey(account.key),
    KeyType: GO_KEY_TYPES[keyType] ?? keyType,
  };
  tree[resolver] = part;
}

/** The resolver's certificates, of several for the same names the one that ends last. What cannot be read is said, and stays. */
export function readCertificates(
  tree: AcmeTree,
  resolver: string,
  complain: (problem: string) => void,
): Map<string, HeldCertificate> {
  const found = new Map<string, HeldCertificate>();
  for (const entry of entriesOf(tree, resolver)) {
    const names = entryNames(entry);
    if (names === null || typeof entry.certificate !== 'string' || typeof entry.key !== 'string') continue;
    if (entry.certificate === '' || entry.key === '') continue;
    try {
      const held = holdCertificate({
        ...{ resolver, names },
        cert: Buffer.from(entry.certificate, 'base64').toString(),
        key: Buffer.from(entry.key, 'base64').toString(),
        store: typeof entry.Store === 'string' && entry.Store !== '' ? entry.Store : 'default',
      });
      const key = setKey(resolver, names);
      const other = found.get(key);
      if (other === undefined || other.notAfter < held.notAfter) found.set(key, held);
    } catch (error) {
      complain((error as Error).message);
    }
  }
  return found;
}

/** Puts a certificate in the place of all others for its names. */
export function writeCertificate(tree: AcmeTree, held: HeldCertificate): void {
  const key = setKey(held.resolver, held.names);
  const part = partOf(tree, held.resolver);
  const entries = entriesOf(tree, held.resolver);
  const same = entries.find((entry) => keyOf(held.resolver, entry) === key);
  const entry = {
    ...same,
    domain: { main: held.main, ...(held.sans.length === 0 ? {} : { sans: held.sans }) },
    certificate: Buffer.from(held.cert).toString('base64'),
    key: Buffer.from(held.key).toString('base64'),
    Store: held.store,
  };
  const others = entries.filter((other) => keyOf(held.resolver, other) !== key);
  part.Certificates = [...others, entry];
  part.Account ??= null;
  tree[held.resolver] = part;
}

/** Takes out what has these names and is not newer than `notAfter`. */
export function removeCertificate(tree: AcmeTree, resolver: string, key: string, notAfter: number): void {
  const part = partOf(tree, resolver);
  if (!Array.isArray(part.Certificates)) return;
  const newer = readCertificates(tree, resolver, () => undefined).get(key);
  if (newer !== undefined && newer.notAfter > notAfter) return;
  part.Certificates = entriesOf(tree, resolver).filter((entry) => keyOf(resolver, entry) !== key);
}

/** lego's names of the key types, which Traefik keeps beside the account. */
const GO_KEY_TYPES: Readonly<Record<string, string>> = {
  EC256: 'P256',
  EC384: 'P384',
  RSA2048: '2048',
  RSA4096: '4096',
  RSA8192: '8192',
};

function decodeAccountKey(der: Buffer): KeyObject | null {
  for (const type of ['pkcs1', 'pkcs8', 'sec1'] as const) {
    try {
      return createPrivateKey({ key: der, format: 'der', type });
    } catch {
      // Another kind, or none: the last word is null.
    }
  }
  return null;
}

function encodeAccountKey(pem: string): string {
  const key = createPrivateKey(pem);
  const type = key.asymmetricKeyType === 'rsa' ? 'pkcs1' : 'pkcs8';
  return key.export({ type, format: 'der' }).toString('base64');
}

function isShape(part: Json): boolean {
  const { Account: account, Certificates: certificates } = part;
  const keys = Object.keys(part);
  if (keys.length > 0 && account === undefined && certificates === undefined) return false;
  const accountFits = account === undefined || account === null || isObject(account);
  return accountFits && (certificates === undefined || certificates === null || Array.isArray(certificates));
}

function partOf(tree: AcmeTree, resolver: string): Json {
  return Object.hasOwn(tree, resolver) ? (tree[resolver] ?? {}) : {};
}

function entriesOf(tree: AcmeTree, resolver: string): readonly Json[] {
  const list = partOf(tree, resolver).Certificates;
  return Array.isArray(list) ? list.filter(isObject) : [];
}

function entryNames(entry: Json): ReturnType<typeof nameSet> {
  const { domain } = entry;
  if (!isObject(domain) || typeof domain.main !== 'string') return null;
  const sans = Array.isArray(domain.sans) ? domain.sans.filter((san) => typeof san === 'string') : [];
  return nameSet(domain.main, sans);
}

function keyOf(resolver: string, entry: Json): string | null {
  const names = entryNames(entry);
  return names === null ? null : setKey(resolver, names);
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
