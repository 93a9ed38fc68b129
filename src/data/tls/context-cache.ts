import { constants } from 'node:crypto';
import { createSecureContext, type SecureContext, type TLSSocketOptions } from 'node:tls';
import type { CertificateSnapshot } from '../../core/snapshot.ts';
import { DEFAULT_CIPHERS } from '../../core/tls/cipher-suites.ts';
import { compareVersions } from '../../core/tls/versions.ts';
import type { CompiledOptions } from './compiled-options.ts';

/** A certificate under one set of options: what a TLSSocket is made with, or why it cannot be made. */
export type ServerContext =
  | { readonly ok: true; readonly socketOptions: Readonly<TLSSocketOptions & { secureContext: SecureContext }> }
  | { readonly ok: false; readonly error: string };

interface Entry {
  readonly certificate: CertificateSnapshot;
  readonly options: CompiledOptions;
  readonly context: ServerContext;
}

/** A SecureContext holds some 32 KiB: this many are 128 MiB. The least recently used ones are made again when asked for. */
export const MAX_CONTEXTS = 4096;

/** Seconds. Long enough for a client that comes back within a working session, short enough for a stolen ticket. */
const SESSION_TIMEOUT_S = 7200;

/** Go's order of preference; it is the server that chooses. */
const TLS13_SUITES = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256';

/**
 * One SecureContext for each (certificate, options) that was asked for. Made at the first handshake that needs it, so that
 * a reload with ten thousand certificates costs nothing here, and taken over from the previous cache where both are the same.
 */
export class ContextCache {
  readonly #entries = new Map<string, Entry>();
  readonly #ticketKeys: Buffer;
  readonly #max: number;

  /** @param ticketKeys 48 bytes as base64 */
  constructor(ticketKeys: string, max: number = MAX_CONTEXTS) {
    this.#ticketKeys = Buffer.from(ticketKeys, 'base64');
    this.#max = max;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(certificate: CertificateSnapshot, options: CompiledOptions): ServerContext {
    const key = entryKey(certificate, options);
    const known = this.#entries.get(key);
    if (known !== undefined && isSame(known.certificate, certificate)) {
      if (this.#entries.size >= this.#max) {
        this.#entries.delete(key);
        this.#entries.set(key, known);
      }
      return known.context;
    }
    // A failure is kept as well: a certificate that OpenSSL refuses must not be parsed again for each connection.
    const context = this.#make(certificate, options);
    this.#entries.delete(key);
    this.#entries.set(key, { certificate, options, context });
    if (this.#entries.size > this.#max) {
      const oldest = this.#entries.keys().next();
      if (!oldest.done) this.#entries.delete(oldest.value);
    }
    return context;
  }

  /** Keeps of an older cache what still fits. */
  takeOver(
    previous: ContextCache,
    certificates: ReadonlyMap<string, readonly CertificateSnapshot[]>,
    options: ReadonlyMap<string, CompiledOptions>,
  ): void {
    for (const [key, entry] of previous.#entries) {
      const still = options.get(entry.options.name);
      if (still?.key !== entry.options.key) continue;
      const same = certificates.get(entry.certificate.fingerprint)?.find((c) => isSame(c, entry.certificate));
      // The new objects are kept, not the old ones, which would hold the whole old snapshot in memory.
      if (same !== undefined) this.#entries.set(key, { certificate: same, options: still, context: entry.context });
    }
  }

  #make(certificate: CertificateSnapshot, options: CompiledOptions): ServerContext {
    const { config } = options;
    const ciphers = `${TLS13_SUITES}:${config.ciphers ?? DEFAULT_CIPHERS}`;
    // OpenSSL's default security level rules out the SHA-1 signatures that TLS 1.0 and 1.1 are made of.
    const legacy = compareVersions(config.minVersion, 'TLSv1.2') < 0;
    try {
      const secureContext = createSecureContext({
        cert: certificate.cert,
        key: certificate.key,
        // Never undefined, or Node loads every public root here: they would be trusted to sign clients, and with them
        // OpenSSL searches an issuer for a bare leaf at each handshake.
        ca: [...config.clientAuth.ca],
        minVersion: config.minVersion,
        maxVersion: config.maxVersion,
        ciphers: legacy ? `${ciphers}:@SECLEVEL=0` : ciphers,
        honorCipherOrder: true,
        secureOptions: constants.SSL_OP_NO_RENEGOTIATION | (config.sessionTickets ? 0 : constants.SSL_OP_NO_TICKET),
        sessionIdContext: options.sessionIdContext,
        sessionTimeout: SESSION_TIMEOUT_S,
        ticketKeys: this.#ticketKeys,
        ...(config.curves === undefined ? {} : { ecdhCurve: config.curves }),
      });
      return { ok: true, socketOptions: { ...options.socketOptions, secureContext } };
    } catch (error) {
      return { ok: false, error: `${certificate.origin}: ${error instanceof Error ? error.message : String(error)}` };
    }
  }
}

/** The fingerprint is that of the leaf: the chain and the key may differ. */
function isSame(a: CertificateSnapshot, b: CertificateSnapshot): boolean {
  return a === b || (a.fingerprint === b.fingerprint && a.cert === b.cert && a.key === b.key);
}

function entryKey(certificate: CertificateSnapshot, options: CompiledOptions): string {
  return `${certificate.fingerprint} ${options.name}`;
}
