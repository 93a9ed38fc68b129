/** Whose fault a failed request is. */
export type ErrorSource = 'client' | 'proxy' | 'upstream';

interface ErrorKind {
  readonly source: ErrorSource;
  /** The status the client gets; 0 where the connection is only closed. */
  readonly status: number;
  /** Whether the same request may be sent to another endpoint, or again, without being done twice. */
  readonly retryable: boolean;
  readonly text: string;
}

/**
 * Every way in which a request can fail. The keys are stable: they stand in the access log, in metrics and in docs/errors.md.
 */
export const ERROR_TABLE = {
  // The client's fault.
  CLIENT_BAD_REQUEST: { source: 'client', status: 400, retryable: false, text: 'the request cannot be read' },
  CLIENT_AMBIGUOUS_LENGTH: {
    source: 'client',
    status: 400,
    retryable: false,
    text: 'two parsers could read the body differently',
  },
  CLIENT_BAD_CHUNK: { source: 'client', status: 400, retryable: false, text: 'the chunked body is malformed' },
  CLIENT_METHOD_REFUSED: {
    source: 'client',
    status: 405,
    retryable: false,
    text: 'the method is not served by a reverse proxy',
  },
  CLIENT_HEADER_TIMEOUT: {
    source: 'client',
    status: 408,
    retryable: false,
    text: 'the request head did not arrive in time',
  },
  CLIENT_BODY_TIMEOUT: { source: 'client', status: 408, retryable: false, text: 'the request body stopped arriving' },
  CLIENT_BODY_TOO_LARGE: { source: 'client', status: 413, retryable: false, text: 'the request body is too large' },
  CLIENT_URI_TOO_LONG: { source: 'client', status: 414, retryable: false, text: 'the request line is too long' },
  CLIENT_EXPECTATION: { source: 'client', status: 417, retryable: false, text: 'the expectation is unknown' },
  CLIENT_MISDIRECTED: {
    source: 'client',
    status: 421,
    retryable: false,
    text: 'the host has other TLS options than the connection',
  },
  CLIENT_HEADERS_TOO_LARGE: { source: 'client', status: 431, retryable: false, text: 'the request head is too large' },
  CLIENT_UNKNOWN_CODING: { source: 'client', status: 501, retryable: false, text: 'the transfer coding is unknown' },
  CLIENT_VERSION: { source: 'client', status: 505, retryable: false, text: 'the HTTP version is not supported' },
  CLIENT_CONNECTION_LIMIT: {
    source: 'client',
    status: 0,
    retryable: false,
    text: 'the address has too many connections open',
  },
  CLIENT_RATE_LIMIT: {
    source: 'client',
    status: 429,
    retryable: false,
    text: 'more requests than the rate limit allows',
  },
  CLIENT_IN_FLIGHT_LIMIT: { source: 'client', status: 429, retryable: false, text: 'too many requests at a time' },
  CLIENT_GONE: { source: 'client', status: 499, retryable: false, text: 'the client closed the connection first' },
  // The proxy's own.
  PROXY_NO_ROUTE: { source: 'proxy', status: 404, retryable: false, text: 'no router matches' },
  PROXY_INTERNAL: { source: 'proxy', status: 500, retryable: false, text: 'the proxy failed' },
  PROXY_ROUTER_UNSAFE: {
    source: 'proxy',
    status: 500,
    retryable: false,
    text: 'the router uses what this proxy cannot do safely',
  },
  PROXY_NO_SERVER: { source: 'proxy', status: 503, retryable: false, text: 'no server is available' },
  PROXY_CONNECTION_LIMIT: {
    source: 'proxy',
    status: 0,
    retryable: false,
    text: 'the entry point has too many connections open',
  },
  PROXY_OVERLOADED: { source: 'proxy', status: 503, retryable: false, text: 'a limit is reached' },
  PROXY_CIRCUIT_OPEN: { source: 'proxy', status: 503, retryable: false, text: 'the circuit breaker is open' },
  PROXY_DRAINING: { source: 'proxy', status: 503, retryable: false, text: 'the proxy is shutting down' },
  // The upstream's.
  UPSTREAM_REFUSED: { source: 'upstream', status: 502, retryable: true, text: 'the connection was refused or reset' },
  UPSTREAM_DNS: { source: 'upstream', status: 502, retryable: true, text: 'the name does not resolve' },
  UPSTREAM_TLS: { source: 'upstream', status: 502, retryable: true, text: 'the TLS handshake failed' },
  UPSTREAM_CONNECT_TIMEOUT: {
    source: 'upstream',
    status: 504,
    retryable: true,
    text: 'the connection was not made in time',
  },
  UPSTREAM_CLOSED: {
    source: 'upstream',
    status: 502,
    retryable: false,
    text: 'the connection closed before the response',
  },
  UPSTREAM_BAD_RESPONSE: { source: 'upstream', status: 502, retryable: false, text: 'the response cannot be read' },
  UPSTREAM_TRUNCATED: { source: 'upstream', status: 502, retryable: false, text: 'the response ended too early' },
  UPSTREAM_RESPONSE_TIMEOUT: {
    source: 'upstream',
    status: 504,
    retryable: false,
    text: 'the response did not start in time',
  },
  UPSTREAM_TOTAL_TIMEOUT: {
    source: 'upstream',
    status: 504,
    retryable: false,
    text: 'the response was not complete in time',
  },
  UPSTREAM_BODY_TOO_LARGE: { source: 'upstream', status: 500, retryable: false, text: 'the response is too large' },
  UPSTREAM_IDLE_TIMEOUT: { source: 'upstream', status: 504, retryable: false, text: 'the response stopped arriving' },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERROR_TABLE;

/** The one error class of the data plane. */
export class ProxyError extends Error {
  override readonly name = 'ProxyError';
  readonly code: ErrorCode;
  /** Seconds after which the client may try again, told by Retry-After; 0 = not told. */
  retryAfterS = 0;

  /** @param detail what happened in this case; goes to the log, never to the client */
  constructor(code: ErrorCode, detail?: string, cause?: unknown) {
    super(detail ?? ERROR_TABLE[code].text, cause === undefined ? undefined : { cause });
    this.code = code;
  }

  get source(): ErrorSource {
    return ERROR_TABLE[this.code].source;
  }

  get status(): number {
    return ERROR_TABLE[this.code].status;
  }

  get retryable(): boolean {
    return ERROR_TABLE[this.code].retryable;
  }
}
