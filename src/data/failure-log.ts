import type { ErrorCode, ErrorSource, ProxyError } from '../core/errors.ts';
import type { Exchange, Peer } from './exchange.ts';

/** Lines for each source of errors, so that what clients do wrong hides nothing of what upstreams do. */
const LINES_A_SECOND = 10;
const SECOND_MS = 1_000;

type Level = 'info' | 'warn' | 'error';
type Log = (level: Level, message: string, fields?: Record<string, unknown>) => void;

/** Lines of one source in the second that goes on. */
interface Window {
  startedAt: number;
  lines: number;
  /** What had no line of its own; null = nothing. */
  counts: Map<ErrorCode, number> | null;
}

/**
 * Says in the proxy's own log what failed, and whose fault it was, where the access log does not: it is off, it is filtered,
 * or its format has no place for it. What comes too fast is counted, and told once a second.
 */
export class FailureLog {
  readonly #log: Log;
  readonly #windows: Readonly<Record<ErrorSource, Window>> = { client: empty(), proxy: empty(), upstream: empty() };

  constructor(log: Log) {
    this.#log = log;
  }

  exchange(exchange: Exchange, error: ProxyError): void {
    if (!this.#mayTell(error)) return;
    const { peer, status, entryPoint, method, authority, path, routerName, serviceName, upstreamUrl } = exchange;
    // The query may hold secrets.
    const request = `${method} ${authority}${path}`;
    this.#tell(error, status, entryPoint, peer, {
      request,
      ...(routerName === '' ? {} : { router: routerName }),
      ...(serviceName === '' ? {} : { service: serviceName }),
      ...(upstreamUrl === '' ? {} : { server: upstreamUrl.replace(/\/\/[^/?#]*@/, '//') }),
    });
  }

  /** A request that was refused before it became an exchange. */
  refused(entryPoint: string, peer: Peer, error: ProxyError, status: number): void {
    if (this.#mayTell(error)) this.#tell(error, status, entryPoint, peer, {});
  }

  #tell(error: ProxyError, status: number, entryPoint: string, peer: Peer, more: Record<string, unknown>): void {
    // A stack is in the log already, by who caught it.
    const detail = error.message.split('\n', 1)[0];
    this.#log(levelOf(error), `request failed: ${error.code}: ${detail}`, {
      code: error.code,
      source: error.source,
      status,
      entryPoint,
      client: peer.address,
      ...more,
    });
  }

  #mayTell({ source, code }: ProxyError): boolean {
    const window = this.#windows[source];
    const now = performance.now();
    if (now - window.startedAt >= SECOND_MS && window.counts === null) {
      window.startedAt = now;
      window.lines = 0;
    }
    if (window.lines < LINES_A_SECOND) {
      window.lines++;
      return true;
    }
    if (window.counts === null) {
      window.counts = new Map();
      setTimeout(() => this.#sumUp(source, window), SECOND_MS - (now - window.startedAt)).unref();
    }
    window.counts.set(code, (window.counts.get(code) ?? 0) + 1);
    return false;
  }

  #sumUp(source: ErrorSource, window: Window): void {
    const counts = window.counts ?? new Map<ErrorCode, number>();
    window.counts = null;
    const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
    const level = source === 'client' ? 'info' : 'warn';
    this.#log(level, `${total} more requests failed within a second`, { source, ...Object.fromEntries(counts) });
  }
}

function empty(): Window {
  return { startedAt: Number.NEGATIVE_INFINITY, lines: 0, counts: null };
}

/** What an operator of the proxy must act on, may act on, or cannot change. */
function levelOf({ code, source }: ProxyError): Level {
  if (code === 'PROXY_INTERNAL') return 'error';
  return source === 'client' || code === 'PROXY_NO_ROUTE' ? 'info' : 'warn';
}
