/** Why a handshake came to nothing. Stable: the names stand in metrics and in the log. */
export const TLS_FAILURE_REASONS = [
  /** The handshake was not done in time. */
  'timeout',
  /** The client went away. */
  'closed',
  /** Plaintext where TLS is spoken. */
  'not-tls',
  'malformed-hello',
  /** sniStrict, and no certificate for the name. */
  'no-certificate',
  /** The certificate or its options cannot be used by OpenSSL. */
  'certificate-unusable',
  /** The options are unknown, or their configuration is in error. */
  'options-refused',
  'no-common-version',
  'no-common-cipher',
  'no-common-alpn',
  'client-certificate-missing',
  'client-certificate-invalid',
  /** The client sent an alert: mostly, it does not trust our certificate. */
  'refused-by-client',
  /** Anything else that OpenSSL objects to. */
  'protocol',
  /** A fault of this proxy. */
  'internal',
] as const;

export type TlsFailureReason = (typeof TLS_FAILURE_REASONS)[number];

export interface TlsFailure {
  readonly reason: TlsFailureReason;
  /** For the log. */
  readonly detail: string;
  /** What the client asked for; null where it named nothing or did not come that far. */
  readonly sni: string | null;
}

/** RFC 8446 section 6.2. */
export const ALERT = {
  handshakeFailure: 40,
  decodeError: 50,
  internalError: 80,
  unrecognizedName: 112,
} as const;

/** A fatal alert as a whole record, for where OpenSSL is not in the game yet. */
export function alertRecord(description: number): Buffer {
  return Buffer.from([21, 3, 3, 0, 2, 2, description]);
}

/** The alert for a handshake that is refused before it starts. */
export function alertFor(reason: TlsFailureReason): number {
  if (reason === 'malformed-hello') return ALERT.decodeError;
  if (reason === 'no-certificate') return ALERT.unrecognizedName;
  if (reason === 'options-refused') return ALERT.handshakeFailure;
  return ALERT.internalError;
}

/** Sorts an error of Node's or OpenSSL's during a handshake. */
export function reasonOf(error: Error): TlsFailureReason {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  switch (code) {
    case 'ECONNRESET':
    case 'EPIPE':
    case 'ETIMEDOUT':
      return 'closed';
    case 'ERR_SSL_NO_SHARED_CIPHER':
    case 'ERR_SSL_NO_SUITABLE_KEY_SHARE':
    case 'ERR_SSL_NO_SHARED_GROUPS':
    case 'ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM':
      return 'no-common-cipher';
    case 'ERR_SSL_UNSUPPORTED_PROTOCOL':
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_VERSION_TOO_LOW':
    case 'ERR_SSL_NO_PROTOCOLS_AVAILABLE':
      return 'no-common-version';
    case 'ERR_SSL_NO_APPLICATION_PROTOCOL':
      return 'no-common-alpn';
    case 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE':
      return 'client-certificate-missing';
  }
  return code.includes('_ALERT_') ? 'refused-by-client' : 'protocol';
}
