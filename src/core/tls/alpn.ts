/** The application protocols that this proxy speaks to clients. What else `alpnProtocols` names is not offered. */
export const IMPLEMENTED_ALPN: readonly string[] = ['http/1.1'];
