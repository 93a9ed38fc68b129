import { createHash } from 'node:crypto';
import type { TLSSocketOptions } from 'node:tls';
import type { ClientAuthType, TlsOptionsSnapshot } from '../../core/snapshot.ts';
import { requiresClientCertificate } from '../../core/tls/client-auth.ts';

/** One `tls.options` entry, made ready for connections. */
export interface CompiledOptions {
  readonly name: string;
  readonly config: TlsOptionsSnapshot;
  readonly clientAuth: ClientAuthType;
  /** Says by content whether a running SecureContext still fits: options, ticket keys and offered protocols. */
  readonly key: string;
  /** The same for what was demanded of the client alone. */
  readonly clientAuthKey: string;
  /**
   * What TLS sessions are bound to (OpenSSL's session id context, 32 bytes at most). It differs between options, so that a
   * ticket got without a client certificate cannot be used where one is demanded, and it changes with the authorities.
   */
  readonly sessionIdContext: string;
  /** What each TLSSocket of these options is made with, besides the context. */
  readonly socketOptions: Readonly<TLSSocketOptions>;
}

/**
 * @param implemented the protocols that the proxy speaks; of the configured ones only these are offered
 * @param ticketKeys base64, as in the snapshot
 */
export function compileOptions(
  config: TlsOptionsSnapshot,
  implemented: readonly string[],
  ticketKeys: string,
): CompiledOptions {
  const clientAuth = config.clientAuth.type;
  const clientAuthKey = digest([clientAuth, config.clientAuth.ca]);
  const content = digest([config, clientAuthKey]);
  return {
    name: config.name,
    config,
    clientAuth,
    key: digest([content, implemented, ticketKeys]),
    clientAuthKey,
    sessionIdContext: content.slice(0, 32),
    socketOptions: {
      isServer: true,
      requestCert: clientAuth !== 'NoClientCert',
      // In OpenSSL this means: fail the handshake where no certificate comes. Whether it is trusted is asked afterwards.
      rejectUnauthorized: requiresClientCertificate(clientAuth),
      ...alpn(config.alpnProtocols, implemented),
    },
  };
}

function alpn(
  configured: readonly string[],
  implemented: readonly string[],
): Pick<TLSSocketOptions, 'ALPNProtocols' | 'ALPNCallback'> {
  if (configured.length === 0) return {};
  const offered = configured.filter((protocol) => implemented.includes(protocol));
  // Nothing left to agree on: a client that offers anything gets no_application_protocol, as RFC 7301 section 3.2 wants.
  if (offered.length === 0) return { ALPNCallback: () => undefined };
  return { ALPNProtocols: wireFormat(offered) };
}

/** RFC 7301 section 3.1. Handed over ready-made, it is not built again for each connection. */
function wireFormat(protocols: readonly string[]): Buffer {
  return Buffer.concat(protocols.map((name) => Buffer.from(`${String.fromCharCode(name.length)}${name}`, 'latin1')));
}

function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
