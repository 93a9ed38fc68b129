import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { ConnectionOptions } from './certificate-store.ts';
import type { CompiledOptions } from './compiled-options.ts';

/**
 * What is known of a TLS connection. What costs something is read from OpenSSL when it is first asked for and kept; asked
 * for the first time after the connection was closed, it is empty.
 */
export class TlsInfo implements ConnectionOptions {
  /** Lower case; null where the client named no server. */
  readonly sni: string | null;
  readonly optionsName: string;
  readonly clientAuthKey: string;
  /** The agreed application protocol; false where the client offered none. */
  readonly alpn: string | false;
  /** The client gave a certificate, and it is signed by one of the configured authorities. */
  readonly clientVerified: boolean;
  readonly #socket: TLSSocket;
  #version: string | undefined;
  #cipher: string | undefined;
  #clientCertificate: X509Certificate | null | undefined;

  constructor(socket: TLSSocket, sni: string | null, options: CompiledOptions, clientVerified: boolean) {
    this.sni = sni;
    this.optionsName = options.name;
    this.clientAuthKey = options.clientAuthKey;
    this.alpn = socket.alpnProtocol || false;
    this.clientVerified = clientVerified;
    this.#socket = socket;
    // Nobody was asked for one, so that there is nothing to look up.
    if (options.clientAuth === 'NoClientCert') this.#clientCertificate = null;
  }

  /** `TLSv1.3`, `TLSv1.2`, ... */
  get version(): string {
    this.#version ??= this.#socket.getProtocol() ?? '';
    return this.#version;
  }

  /** The name of the IANA registry: `TLS_AES_128_GCM_SHA256`. */
  get cipher(): string {
    this.#cipher ??= this.#socket.getCipher()?.standardName ?? '';
    return this.#cipher;
  }

  /** Whether the client came back with a session ticket. */
  get resumed(): boolean {
    return this.#socket.isSessionReused();
  }

  /** The client's certificate, verified or not (see `clientVerified`); null where it gave none. */
  get clientCertificate(): X509Certificate | null {
    if (this.#clientCertificate === undefined) this.#clientCertificate = this.#socket.getPeerX509Certificate() ?? null;
    return this.#clientCertificate;
  }
}
