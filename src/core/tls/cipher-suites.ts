import { type Mapped, mapName } from './mapped.ts';

/**
 * What a suite of the configuration is here. `tls13`: always offered, in Go as in OpenSSL, whatever is configured.
 * `removed`: too weak for the OpenSSL that Node carries. `signal`: no suite, a mark that clients send (RFC 7507).
 */
export type CipherSuite =
  | { readonly kind: 'suite'; readonly openssl: string }
  | { readonly kind: 'tls13' }
  | { readonly kind: 'removed' }
  | { readonly kind: 'signal' };

const suite = (openssl: string): CipherSuite => ({ kind: 'suite', openssl });
const TLS13: CipherSuite = { kind: 'tls13' };
const REMOVED: CipherSuite = { kind: 'removed' };

/** All names of Go's crypto/tls, its insecure ones included. */
const SUITES: ReadonlyMap<string, CipherSuite> = new Map([
  ['TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', suite('ECDHE-ECDSA-AES128-GCM-SHA256')],
  ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', suite('ECDHE-RSA-AES128-GCM-SHA256')],
  ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', suite('ECDHE-ECDSA-AES256-GCM-SHA384')],
  ['TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384', suite('ECDHE-RSA-AES256-GCM-SHA384')],
  ['TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256', suite('ECDHE-ECDSA-CHACHA20-POLY1305')],
  ['TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305', suite('ECDHE-ECDSA-CHACHA20-POLY1305')],
  ['TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256', suite('ECDHE-RSA-CHACHA20-POLY1305')],
  ['TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305', suite('ECDHE-RSA-CHACHA20-POLY1305')],
  ['TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA', suite('ECDHE-ECDSA-AES128-SHA')],
  ['TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA', suite('ECDHE-RSA-AES128-SHA')],
  ['TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA', suite('ECDHE-ECDSA-AES256-SHA')],
  ['TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA', suite('ECDHE-RSA-AES256-SHA')],
  ['TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256', suite('ECDHE-ECDSA-AES128-SHA256')],
  ['TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256', suite('ECDHE-RSA-AES128-SHA256')],
  ['TLS_RSA_WITH_AES_128_GCM_SHA256', suite('AES128-GCM-SHA256')],
  ['TLS_RSA_WITH_AES_256_GCM_SHA384', suite('AES256-GCM-SHA384')],
  ['TLS_RSA_WITH_AES_128_CBC_SHA', suite('AES128-SHA')],
  ['TLS_RSA_WITH_AES_256_CBC_SHA', suite('AES256-SHA')],
  ['TLS_RSA_WITH_AES_128_CBC_SHA256', suite('AES128-SHA256')],
  ['TLS_AES_128_GCM_SHA256', TLS13],
  ['TLS_AES_256_GCM_SHA384', TLS13],
  ['TLS_CHACHA20_POLY1305_SHA256', TLS13],
  ['TLS_RSA_WITH_RC4_128_SHA', REMOVED],
  ['TLS_ECDHE_RSA_WITH_RC4_128_SHA', REMOVED],
  ['TLS_ECDHE_ECDSA_WITH_RC4_128_SHA', REMOVED],
  ['TLS_RSA_WITH_3DES_EDE_CBC_SHA', REMOVED],
  ['TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA', REMOVED],
  ['TLS_FALLBACK_SCSV', { kind: 'signal' }],
]);

/** Go's name of a cipher suite, as `cipherSuites` has it, to what it is here. */
export function mapCipherSuite(name: string): Mapped<CipherSuite> {
  return mapName(SUITES, name, 'cipher suite');
}

/**
 * What is offered up to TLS 1.2 where `cipherSuites` is not set, in OpenSSL's names and in order of preference. The list
 * is Go's, so that a client that works with Traefik works here: forward secrecy throughout, no CBC with SHA-2.
 */
export const DEFAULT_CIPHERS = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES128-SHA',
  'ECDHE-RSA-AES128-SHA',
  'ECDHE-ECDSA-AES256-SHA',
  'ECDHE-RSA-AES256-SHA',
].join(':');
