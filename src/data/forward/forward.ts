import type { Socket } from 'node:net';
import { ProxyError } from '../../core/errors.ts';
import type { Outcome } from '../../core/outcome.ts';
import type { EndpointState } from '../balancer/endpoint-state.ts';
import type { Endpoint } from '../balancer/types.ts';
import { bodyIsThere, detachBody, keepForReplay, releaseBody } from '../body/replay.ts';
import { clock } from '../clock.ts';
import type { Exchange, RequestBodySink, Takeover } from '../exchange.ts';
import { forwardHead } from '../headers/forward-head.ts';
import type { HeaderList } from '../headers/header-list.ts';
import { KEEP_ALL } from '../headers/header-list.ts';
import { H } from '../headers/known.ts';
import { isOffered } from '../headers/upgrade.ts';
import type { UpstreamHead } from '../http1/response-head.ts';
import { mayRepeat, pauseBefore, pauseForSame, type RetryPolicy } from '../retry/policy.ts';
import { splice } from '../splice.ts';
import type { OpenStream } from '../stream-meter.ts';
import { type Timeouts, timeoutsOf } from '../timeouts.ts';
import type { UpstreamConnection, UpstreamReceiver } from '../upstream/connection.ts';
import type { Waiter } from '../upstream/pool.ts';
import { chooseEndpoint } from './choose.ts';
import { Place, type PlaceUser } from './place.ts';
import type { ForwardTarget } from './target.ts';

/** An endpoint that has refused every connection for this long (milliseconds) is not waited for. */
const RESTART_MS = 3_000;

/** Sends the request of an exchange to an endpoint of the service, and its response back. */
export function forward(exchange: Exchange, target: ForwardTarget): void {
  exchange.serviceName = target.name;
  new Forwarding(exchange, target).begin();
}

/**
 * One request on its way to the endpoints of one service.
 *
 * ```
 *   begin ─► choose ─► idle connection? ─yes─► send ─► head ─► body ─► end: the connection goes back to the pool
 *              ▲          └─no─► connect ─► send │       │
 *              │                   │ failed      │ failed before any byte came, the method may be repeated, the body
 *              │                   ▼             ▼ is still there and the budget allows it
 *              └───── another endpoint, or, where there is none, after a pause the same
 * ```
 *
 * What was sent once is sent again only where nothing is done twice: POST never is.
 */
class Forwarding implements UpstreamReceiver, RequestBodySink, Waiter, PlaceUser {
  /** Of the endpoint of the attempt under way. */
  state!: EndpointState;
  readonly #exchange: Exchange;
  readonly #target: ForwardTarget;
  readonly #policy: RetryPolicy;
  readonly #timeouts: Timeouts;
  #endpoint!: Endpoint;
  /** Who was tried and failed; null = nobody. */
  #tried: Endpoint[] | null = null;
  #attempts = 0;
  #pauses = 0;
  #resends = 0;
  /** Whether an attempt is counted in `state.inFlight`. */
  #counted = false;
  #connection: UpstreamConnection | null = null;
  #giveUp: (() => void) | null = null;
  #reused = false;
  #stale = false;
  #bodyTaken = false;
  #pause: NodeJS.Timeout | null = null;
  #total: NodeJS.Timeout | null = null;
  /** Set where servers have a limit. */
  #place: Place | null = null;
  #stream: OpenStream | null = null;

  constructor(exchange: Exchange, target: ForwardTarget) {
    this.#exchange = exchange;
    this.#target = target;
    this.#policy = exchange.retryPolicy ?? target.retryPolicy;
    this.#timeouts = exchange.timeouts === null ? target.timeouts : timeoutsOf(exchange.timeouts, target.timeouts);
  }

  begin(): void {
    const exchange = this.#exchange;
    this.#target.retryBudget.earn();
    exchange.onCancel = this.#cancel;
    const { total } = this.#timeouts;
    if (total > 0) this.#total = setTimeout(() => this.#late(total), total);
    const endpoint = this.#choose();
    if (endpoint === null) this.#fail(new ProxyError('PROXY_NO_SERVER', `${this.#target.name} has no server`));
    else this.#go(endpoint);
  }

  #go(endpoint: Endpoint): void {
    const { slots } = this.#target;
    if (slots === null) {
      this.#attempt(endpoint);
      return;
    }
    this.#place ??= new Place(this.#target, slots, this.#exchange, this);
    this.#place.ask(endpoint, this.#tried);
  }

  onPlace(endpoint: Endpoint): void {
    this.#attempt(endpoint);
  }

  onNoPlace(error: ProxyError): void {
    this.#fail(error);
  }

  #choose(): Endpoint | null {
    return chooseEndpoint(this.#target, this.#exchange, this.#tried);
  }

  #attempt(endpoint: Endpoint): void {
    const exchange = this.#exchange;
    const { pool, state } = endpoint;
    this.#attempts++;
    this.#endpoint = endpoint;
    this.state = state;
    this.#counted = true;
    state.inFlight++;
    exchange.upstreamUrl = endpoint.url;
    exchange.upstreamAddress = pool.target.address;
    exchange.upstreamStatus = 0;
    exchange.upstreamHeaders = null;
    if (this.#attempts === 1) exchange.upstreamStartedAt = performance.now();
    const idle = exchange.upgrade === null ? pool.takeIdle() : null;
    if (idle !== null) {
      this.#reused = true;
      this.#send(idle);
    } else {
      this.#connect();
    }
  }

  #connect(): void {
    const exchange = this.#exchange;
    this.#reused = false;
    this.#giveUp = this.#endpoint.pool.connect(this, this.#timeouts.connect, exchange.upgrade !== null);
  }

  onConnected(connection: UpstreamConnection): void {
    this.#giveUp = null;
    this.state.refusingSince = 0;
    if (this.#exchange.finished) {
      // Nobody waits for it any more: its answer would be the answer to the client's next request.
      connection.destroy();
      return;
    }
    this.#send(connection);
  }

  onConnectFailed(error: ProxyError): void {
    this.#giveUp = null;
    const { state } = this;
    // That the pool is full says nothing of the endpoint.
    if (error.source === 'upstream') {
      if (state.refusingSince === 0) state.refusingSince = clock.now;
      this.#over('connect-failed');
    } else {
      this.#over(null);
    }
    if (!this.#retry(error, false)) this.#fail(error);
  }

  #send(connection: UpstreamConnection): void {
    const exchange = this.#exchange;
    const endpoint = this.#endpoint;
    this.#connection = connection;
    const target = endpoint.basePath === '' ? exchange.target : endpoint.basePath + exchange.target;
    const host = this.#target.passHostHeader && exchange.authority !== '' ? exchange.authority : endpoint.host;
    const body = exchange.body === 'close' ? 'none' : exchange.body;
    connection.request(this, exchange.method, forwardHead(exchange, target, host), body, exchange.upgrade !== null);
    const { firstByte, idle } = this.#timeouts;
    if (firstByte > 0 || idle > 0) connection.limit(firstByte, idle);
    if (body === 'none') return;
    keepForReplay(exchange, this.#policy);
    this.#bodyTaken = true;
    exchange.source.readBody(this);
    // Without body bytes yet the head must not wait for them: the upstream may want to answer first.
    if (this.#connection === connection) connection.flush();
  }

  // The request's body.

  data(chunk: Buffer): boolean {
    return this.#connection === null ? true : this.#connection.writeBody(chunk);
  }

  end(trailers: HeaderList | null): void {
    if (trailers !== null) this.#exchange.headers.muteTrailers(trailers);
    this.#connection?.endBody(trailers === null ? '' : trailers.lines(KEEP_ALL));
  }

  onDrain(): void {
    this.#exchange.source.resumeBody();
  }

  // The response.

  onInform(head: UpstreamHead): void {
    this.#exchange.response.inform(head.status, head.reason, head.headers);
  }

  onHead(head: UpstreamHead): void {
    const exchange = this.#exchange;
    const { status } = head;
    exchange.upstreamStatus = status;
    exchange.upstreamHeaders = head.headers;
    if (this.#target.balancer.measures) {
      this.state.measure(performance.now() - exchange.upstreamStartedAt, clock.now);
    }
    this.state.record(status >= 500 ? 'server-error' : 'success');
    if (this.#policy.onStatus?.(status) === true || exchange.takeover?.wants(status) === true) {
      if (this.#turnAway(status)) return;
    }
    if (this.#bodyTaken) releaseBody(exchange);
    this.#stream = this.#target.streams.open(exchange, head);
    this.#target.sticky?.bind(exchange, this.#endpoint, head.headers);
    exchange.response.onDrain = this.#resume;
    exchange.start({ status, reason: head.reason, headers: head.headers, body: head.body, length: head.length });
  }

  /** A response that the client is not to see, if somebody else can answer. */
  #turnAway(status: number): boolean {
    const connection = this.#connection;
    const error = new ProxyError('UPSTREAM_BAD_RESPONSE', `${this.#endpoint.url} answered ${status}`);
    if (this.#policy.onStatus?.(status) === true) {
      this.#connection = null;
      if (this.#retry(error, true)) {
        connection?.destroy();
        return true;
      }
      this.#connection = connection;
    }
    const { takeover } = this.#exchange;
    if (takeover === null || !takeover.wants(status) || !this.#bodyIsThere()) return false;
    connection?.destroy();
    this.#handOver(takeover);
    return true;
  }

  onBody(chunk: Buffer): void {
    if (this.#stream !== null) this.#stream.piece(chunk);
    if (!this.#exchange.response.data(chunk)) this.#connection?.pause();
  }

  onPause(): void {
    this.#exchange.response.flush();
  }

  onEnd(trailers: HeaderList | null): void {
    const exchange = this.#exchange;
    this.#connection = null;
    this.#stream?.end('complete');
    this.#over(null);
    this.#done();
    exchange.response.end(trailers);
  }

  onFail(error: ProxyError, silent: boolean, unsent: boolean): void {
    const exchange = this.#exchange;
    this.#connection = null;
    const repeatable = unsent ? this.#bodyIsThere() : this.#mayRepeat();
    if (silent && this.#reused && !this.#stale && error.code === 'UPSTREAM_CLOSED' && repeatable) {
      // The upstream closed its idle connection as the request came: nothing was lost, nobody has seen it.
      this.#stale = true;
      this.#resends++;
      this.#target.counts.retries++;
      exchange.retries++;
      if (this.#bodyTaken) detachBody(exchange);
      this.#connect();
      return;
    }
    this.#over(error.code.endsWith('_TIMEOUT') ? 'timeout' : 'broken');
    if (!silent || !this.#retry(error, !unsent)) this.#fail(error);
  }

  onUpgrade(head: UpstreamHead, upstream: Socket, rest: Buffer | null): void {
    const exchange = this.#exchange;
    this.#connection = null;
    this.state.record('success');
    if (this.#total !== null) clearTimeout(this.#total);
    exchange.onCancel = null;
    exchange.upstreamStatus = 101;
    exchange.upstreamHeaders = head.headers;
    // An upstream that switches to something else than what the client asked for speaks to nobody.
    if (!isOffered(head.headers.joinKnown(H.UPGRADE), exchange.upgrade ?? '')) {
      upstream.destroy();
      this.#over(null);
      exchange.fail(
        new ProxyError('UPSTREAM_BAD_RESPONSE', 'the upstream switched to a protocol that was not asked for'),
      );
      return;
    }
    // Who speaks websocket is bound like others, and gets the fields that middlewares add.
    this.#target.sticky?.bind(exchange, this.#endpoint, head.headers);
    exchange.amend({ status: 101, reason: head.reason, headers: head.headers, body: 'none', length: 0 });
    const tunnel = exchange.client.upgrade(head.headers);
    if (tunnel === null) {
      upstream.destroy();
      this.#over(null);
      exchange.fail(new ProxyError('PROXY_INTERNAL', 'the client connection cannot be upgraded'));
      return;
    }
    exchange.responseHeaders = head.headers;
    splice(exchange, tunnel, upstream, rest, () => this.#over(null));
  }

  readonly #resume = (): void => {
    this.#connection?.resume();
  };

  /** The client left: the upstream must notice at once, so that it stops working. */
  readonly #cancel = (): void => {
    this.#stream?.end('cancelled');
    this.#breakOff();
    this.#over(null);
    this.#done();
  };

  /** `timeouts.total` is over. */
  #late(total: number): void {
    this.#total = null;
    this.#breakOff();
    this.#over('timeout');
    this.#stream?.end('broken');
    this.#done();
    this.#exchange.fail(new ProxyError('UPSTREAM_TOTAL_TIMEOUT', `not complete within ${total} ms`));
  }

  #breakOff(): void {
    if (this.#pause !== null) clearTimeout(this.#pause);
    this.#pause = null;
    this.#giveUp?.();
    this.#giveUp = null;
    const connection = this.#connection;
    this.#connection = null;
    connection?.destroy();
    this.#place?.release();
  }

  // Failures.

  /**
   * Tries once more where that is allowed.
   * @param sent whether the request may have reached the upstream
   * @returns false: the failure stands
   */
  #retry(error: ProxyError, sent: boolean): boolean {
    const policy = this.#policy;
    const exchange = this.#exchange;
    if (this.#attempts >= policy.attempts || exchange.started) return false;
    if (!policy.onNetworkError && exchange.upstreamStatus === 0) return false;
    if (sent ? this.#resends >= policy.resends || !this.#mayRepeat() : !this.#bodyIsThere()) return false;
    if (policy.withinMs > 0 && performance.now() - exchange.upstreamStartedAt > policy.withinMs) return false;
    if (this.#tried === null) this.#tried = [this.#endpoint];
    else this.#tried.push(this.#endpoint);
    let pause = pauseBefore(policy, this.#attempts);
    let endpoint = this.#choose();
    if (endpoint === null) {
      // Nobody else is there. One that is being restarted will be back soon, one that is dead will not.
      if (error.code !== 'UPSTREAM_REFUSED' && error.code !== 'UPSTREAM_CLOSED' && policy === this.#target.retryPolicy)
        return false;
      const { refusingSince } = this.state;
      if (refusingSince !== 0 && clock.now - refusingSince > RESTART_MS) return false;
      const wait = pauseForSame(++this.#pauses);
      if (wait < 0 && pause === 0) return false;
      pause = Math.max(pause, wait);
      this.#tried = null;
      endpoint = this.#choose();
      if (endpoint === null) return false;
    }
    // A connection that was refused at once cost nobody anything; everything else is a request more for the upstreams.
    if (error.code !== 'UPSTREAM_REFUSED' && !this.#target.retryBudget.spend()) return false;
    if (sent) this.#resends++;
    this.#target.counts.retries++;
    this.#over(null);
    exchange.retries++;
    if (this.#bodyTaken) detachBody(exchange);
    if (pause === 0) {
      this.#go(endpoint);
      return true;
    }
    this.#pause = setTimeout(() => {
      this.#pause = null;
      // What was chosen may be gone by now.
      const now = this.#choose();
      if (now === null) this.#fail(error);
      else this.#go(now);
    }, pause);
    return true;
  }

  #mayRepeat(): boolean {
    return mayRepeat(this.#policy, this.#exchange.method) && this.#bodyIsThere();
  }

  #bodyIsThere(): boolean {
    return bodyIsThere(this.#exchange, this.#bodyTaken);
  }

  #fail(error: ProxyError): void {
    const exchange = this.#exchange;
    this.#stream?.end('broken');
    this.#done();
    // Where an answer had begun somebody did what was asked for: a takeover could do it twice.
    const { takeover } = exchange;
    if (takeover !== null && !exchange.started && takeover.wants(error.status) && this.#bodyIsThere()) {
      this.#handOver(takeover);
      return;
    }
    exchange.fail(error);
  }

  #handOver(takeover: Takeover): void {
    const exchange = this.#exchange;
    this.#connection = null;
    this.#over(null);
    this.#done();
    if (this.#bodyTaken) detachBody(exchange);
    takeover.take();
  }

  /** The attempt is over. @param outcome null where it has been told, or there is none to tell */
  #over(outcome: Outcome | null): void {
    if (!this.#counted) return;
    this.#counted = false;
    this.state.inFlight--;
    this.#place?.release();
    if (outcome !== null) this.state.record(outcome);
  }

  /** All attempts are over. */
  #done(): void {
    const exchange = this.#exchange;
    if (this.#total !== null) clearTimeout(this.#total);
    exchange.onCancel = null;
    exchange.upstreamEndedAt = performance.now();
  }
}
