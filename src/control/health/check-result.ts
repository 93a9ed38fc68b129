/**
 * What one check saw. `kind` tells apart what an operator would act on differently:
 *
 * - `ok`
 * - `refused`, `dns`, `tls`: no connection
 * - `timeout`: connected or not, no whole answer in time (a hang)
 * - `reset`: the connection broke before the answer was whole
 * - `redirect`: it leads elsewhere, and that was not to be followed, or led in a circle
 * - `status`: an answer with another status than wanted (503 while a model is loading)
 * - `body`: the status is right and the body is not what is expected
 * - `grpc`: gRPC's health service says something else than SERVING
 */
export interface CheckResult {
  readonly kind: 'ok' | 'refused' | 'dns' | 'tls' | 'timeout' | 'reset' | 'redirect' | 'status' | 'body' | 'grpc';
  /** In one line, for people; never empty. */
  readonly detail: string;
}

/** One address to check, and how to reach it. */
export interface CheckAddress {
  readonly host: string;
  readonly port: number;
  /** Absent: plain. */
  readonly tls?: {
    readonly ca: readonly string[];
    readonly cert: readonly string[];
    readonly key: readonly string[];
    /** Sent as SNI and compared with the certificate. */
    readonly serverName: string;
    readonly verify: boolean;
  };
}

const DNS_CODES = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_NODATA', 'EAI_NONAME', 'EAI_FAIL']);
const REFUSED_CODES = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'ENETDOWN',
  'EADDRNOTAVAIL',
]);
const RESET_CODES = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET', 'ECONNABORTED']);

/** What a failed connection or request tells of the server. */
export function failureOf(error: NodeJS.ErrnoException): CheckResult {
  const { kind, detail } = judge(error.code ?? '', error);
  // OpenSSL ends its messages with a line feed.
  return { kind, detail: detail.replace(/\s+/g, ' ').trim() };
}

function judge(code: string, error: Error): CheckResult {
  if (DNS_CODES.has(code)) return { kind: 'dns', detail: `the name does not resolve: ${error.message}` };
  if (REFUSED_CODES.has(code)) return { kind: 'refused', detail: `no connection: ${error.message}` };
  if (code === 'ETIMEDOUT') return { kind: 'timeout', detail: error.message };
  if (code === 'EPROTO' || error.message.includes('TLS connection'))
    return { kind: 'tls', detail: `TLS: ${error.message}` };
  if (RESET_CODES.has(code) || code.startsWith('HPE_') || code.startsWith('ERR_HTTP2')) {
    return { kind: 'reset', detail: `the connection broke: ${error.message}` };
  }
  if (code.startsWith('ERR_TLS') || code.startsWith('ERR_SSL') || code.includes('CERT') || code.includes('SIGNATURE')) {
    return { kind: 'tls', detail: `TLS: ${error.message}` };
  }
  return { kind: 'reset', detail: error.message };
}

/** @param ms the time that was given */
export function late(ms: number): CheckResult {
  return { kind: 'timeout', detail: `no answer within ${ms} ms` };
}
