import type { AccessLog as AccessLogConfig } from '../core/config/static.ts';
import type { ProxyError } from '../core/errors.ts';
import { commonFormat } from './access-log/common-format.ts';
import { Facts } from './access-log/facts.ts';
import { compileFilter } from './access-log/filter.ts';
import { type Format, jsonFormat } from './access-log/json-format.ts';
import { LineWriter } from './access-log/line-writer.ts';
import type { Exchange, Peer } from './exchange.ts';

/** One line for each request, in Traefik's formats. */
export interface AccessLog {
  /** An exchange is over. */
  exchange(exchange: Exchange): void;
  /** A request was refused before it became an exchange. `status` 0: the connection was only closed. */
  refused(entryPoint: string, peer: Peer, error: ProxyError, status: number): void;
  /** Opens the file anew, after a rotation. */
  reopen(): void;
  /** Writes what is held back and closes the file; calls `done` in a second at the latest. */
  close(done: () => void): void;
  /** Lines that were lost because the destination was slow or full. */
  readonly dropped: number;
}

type Log = (level: 'debug' | 'info' | 'warn' | 'error', message: string, fields?: Record<string, unknown>) => void;

const SETTING = 'accessLog.filePath';

/** Opens where lines go; an empty path is standard output. `setting` says where the path was configured. */
type OpenLog = (path: string, setting: string) => number;

/** @throws Error where the file cannot be opened; the message names it and says what to do */
export function openAccessLog(config: AccessLogConfig, log: Log, open: OpenLog): AccessLog {
  return new FormattedLog(config, log, open);
}

class FormattedLog implements AccessLog {
  readonly #writer: LineWriter;
  readonly #format: Format;
  readonly #wanted: (facts: Facts) => boolean;
  readonly #withInternals: boolean;
  readonly #facts = new Facts();

  constructor(config: AccessLogConfig, log: Log, open: OpenLog) {
    const path = config.filePath ?? '';
    this.#format = config.format === 'json' ? jsonFormat(config) : commonFormat(config, config.format === 'common');
    this.#wanted = compileFilter(config);
    this.#withInternals = config.addInternals;
    this.#writer = new LineWriter({
      path,
      open: () => open(path, SETTING),
      bufferingSize: config.bufferingSize,
      warn: (message, fields) => log('warn', `access log: ${message}`, fields),
    });
  }

  get dropped(): number {
    return this.#writer.dropped;
  }

  exchange(exchange: Exchange): void {
    if (!this.#withInternals && isInternal(exchange)) return;
    this.#facts.ofExchange(exchange);
    this.#line();
  }

  refused(entryPoint: string, peer: Peer, error: ProxyError, status: number): void {
    this.#facts.ofRefusal(entryPoint, peer, error, status);
    this.#line();
  }

  reopen(): void {
    this.#writer.reopen();
  }

  close(done: () => void): void {
    this.#writer.close(done);
  }

  #line(): void {
    const facts = this.#facts;
    if (this.#wanted(facts)) this.#writer.write(this.#format(facts));
    // The exchange must not live on in here.
    facts.exchange = null;
    facts.error = null;
  }
}

/** Ping, API, dashboard, and the redirections of entry points: left out unless `addInternals`, as in Traefik. */
function isInternal({ routerName, serviceName }: Exchange): boolean {
  return routerName.endsWith('@internal') || serviceName.endsWith('@internal');
}
