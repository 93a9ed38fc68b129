import type { ProxyError } from '../../core/errors.ts';
import type { Exchange, Peer } from '../exchange.ts';

/** What one line is made of. The same objects serve all lines: nobody keeps one. */
export class Facts {
  /** null: the request was refused before it became an exchange. */
  exchange: Exchange | null = null;
  peer!: Peer;
  entryPoint = '';
  error: ProxyError | null = null;
  /** What the client got; 0 where the connection was only closed. */
  status = 0;
  /** Requests of this worker, counted from 1. */
  count = 0;
  /** Milliseconds since the epoch, whole: begin and end of the exchange. */
  startedAt = 0;
  endedAt = 0;
  /** Milliseconds, with a fraction. */
  duration = 0;
  /** Milliseconds that the upstream took; -1 where there was none. */
  originDuration = -1;

  ofExchange(exchange: Exchange, count: number): void {
    const now = performance.now();
    this.exchange = exchange;
    this.peer = exchange.peer;
    this.entryPoint = exchange.entryPoint;
    this.error = exchange.error;
    this.status = exchange.status;
    this.count = count;
    this.#times(now - exchange.startedAt);
    const { upstreamStartedAt, upstreamEndedAt } = exchange;
    this.originDuration =
      upstreamStartedAt === 0 ? -1 : Math.max(0, (upstreamEndedAt === 0 ? now : upstreamEndedAt) - upstreamStartedAt);
  }

  ofRefusal(entryPoint: string, peer: Peer, error: ProxyError, status: number, count: number): void {
    this.exchange = null;
    this.peer = peer;
    this.entryPoint = entryPoint;
    this.error = error;
    this.status = status;
    this.count = count;
    this.#times(0);
    this.originDuration = -1;
  }

  /** The exchange must not live on in here. */
  forget(): void {
    this.exchange = null;
    this.error = null;
  }

  #times(duration: number): void {
    this.duration = duration;
    // From the wall clock of now: the process's own origin of time does not follow when the clock is set.
    this.endedAt = Date.now();
    this.startedAt = this.endedAt - Math.round(duration);
  }
}
