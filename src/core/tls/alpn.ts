/** The application protocols that this proxy speaks to clients. What else `alpnProtocols` names is not offered. */
export const IMPLEMENTED_ALPN: readonly string[] = ['http/1.1'];

/** The protocol of tls-alpn-01 (RFC 8737 section 6.2). It is agreed on for a challenge under way and never else. */
export const ACME_TLS_ALPN = 'acme-tls/1';
