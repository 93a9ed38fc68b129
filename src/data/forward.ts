import type { Socket } from 'node:net';
import { ProxyError } from '../core/errors.ts';
import type { Outcome } from './balancer/endpoint-state.ts';
import type { Balancer, Endpoint } from './balancer/types.ts';
import type { Exchange, Handler, RequestBodySink } from './exchange.ts';
import { forwardHead } from './headers/forward-head.ts';
import type { HeaderList } from './headers/header-list.ts';
import { KEEP_ALL } from './headers/header-list.ts';
import { H } from './headers/known.ts';
import type { UpstreamHead } from './http1/response-head.ts';
import { splice } from './splice.ts';
import type { UpstreamConnection, UpstreamReceiver } from './upstream/connection.ts';
import type { Waiter } from './upstream/pool.ts';

/** What a service is to the forwarder. */
export interface ForwardTarget {
  readonly name: string;
  readonly passHostHeader: boolean;
  readonly balancer: Balancer;
}

/** RFC 9110 §9.2.2. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/** The last handler of a router's pipeline: sends the request to an endpoint of the service, and its response back. */
export function forwardTo(target: ForwardTarget): Handler {
  return (exchange) => {
    exchange.serviceName = target.name;
    const endpoint = target.balancer.pick(exchange, null);
    if (endpoint === null) {
      exchange.fail(new ProxyError('PROXY_NO_SERVER', `${target.name} has no server`));
      return;
    }
    new Forwarding(exchange, target, endpoint).begin();
  };
}

/**
 * One request on its way to one endpoint.
 *
 * ```
 *   begin ─► idle connection? ─yes─► send ─► head ─► body ─► end: the connection goes back to the pool
 *              │no                    │ the connection was dead already, nothing came, the method is idempotent and
 *              └─► connect ─► send    │ no body is lost: once more, on a new connection
 * ```
 */
class Forwarding implements UpstreamReceiver, RequestBodySink, Waiter {
  readonly #exchange: Exchange;
  readonly #target: ForwardTarget;
  readonly #endpoint: Endpoint;
  #connection: UpstreamConnection | null = null;
  #giveUp: (() => void) | null = null;
  #reused = false;
  #retried = false;
  #done = false;

  constructor(exchange: Exchange, target: ForwardTarget, endpoint: Endpoint) {
    this.#exchange = exchange;
    this.#target = target;
    this.#endpoint = endpoint;
  }

  begin(): void {
    const exchange = this.#exchange;
    const { pool } = this.#endpoint;
    this.#endpoint.state.inFlight++;
    exchange.upstreamUrl = this.#endpoint.url;
    exchange.upstreamAddress = pool.target.address;
    exchange.upstreamStartedAt = performance.now();
    exchange.onCancel = this.#cancel;
    const idle = exchange.upgrade === null ? pool.takeIdle() : null;
    if (idle !== null) {
      this.#reused = true;
      this.#send(idle);
    } else {
      this.#connect();
    }
  }

  #connect(): void {
    this.#reused = false;
    this.#giveUp = this.#endpoint.pool.connect(this, this.#exchange.upgrade !== null);
  }

  onConnected(connection: UpstreamConnection): void {
    this.#giveUp = null;
    this.#send(connection);
  }

  onConnectFailed(error: ProxyError): void {
    this.#giveUp = null;
    this.#over('connect-failed');
    this.#exchange.fail(error);
  }

  #send(connection: UpstreamConnection): void {
    const exchange = this.#exchange;
    const endpoint = this.#endpoint;
    this.#connection = connection;
    const target = endpoint.basePath === '' ? exchange.target : endpoint.basePath + exchange.target;
    const host = this.#target.passHostHeader && exchange.authority !== '' ? exchange.authority : endpoint.host;
    const body = exchange.body === 'close' ? 'none' : exchange.body;
    connection.request(this, exchange.method, forwardHead(exchange, target, host), body, exchange.upgrade !== null);
    endpoint.pool.arm(connection);
    if (body !== 'none') {
      exchange.client.readBody(this);
      // Without body bytes yet the head must not wait for them: the upstream may want to answer first.
      if (this.#connection === connection) connection.flush();
    }
  }

  // The request's body.

  data(chunk: Buffer): boolean {
    return this.#connection === null ? true : this.#connection.writeBody(chunk);
  }

  end(trailers: HeaderList | null): void {
    this.#connection?.endBody(trailers === null ? '' : trailers.lines(KEEP_ALL));
  }

  onDrain(): void {
    this.#exchange.client.resumeBody();
  }

  // The response.

  onInform(head: UpstreamHead): void {
    this.#exchange.response.inform(head.status, head.reason, head.headers);
  }

  onHead(head: UpstreamHead): void {
    const exchange = this.#exchange;
    exchange.upstreamStatus = head.status;
    exchange.upstreamHeaders = head.headers;
    this.#tell(head.status >= 500 ? 'server-error' : 'success');
    exchange.response.onDrain = this.#resume;
    exchange.start({
      status: head.status,
      reason: head.reason,
      headers: head.headers,
      body: head.body,
      length: head.length,
    });
  }

  onBody(chunk: Buffer): void {
    if (!this.#exchange.response.data(chunk)) this.#connection?.pause();
  }

  onPause(): void {
    this.#exchange.response.flush();
  }

  onEnd(trailers: HeaderList | null): void {
    const exchange = this.#exchange;
    this.#connection = null;
    this.#over(null);
    exchange.onCancel = null;
    exchange.upstreamEndedAt = performance.now();
    exchange.response.end(trailers);
  }

  onFail(error: ProxyError, silent: boolean): void {
    const exchange = this.#exchange;
    this.#connection = null;
    if (this.#reused && !this.#retried && silent && exchange.body === 'none' && IDEMPOTENT.has(exchange.method)) {
      // The upstream closed its idle connection as the request came: nothing was lost, nobody has seen it.
      this.#retried = true;
      exchange.retries++;
      this.#connect();
      return;
    }
    this.#over(error.code.endsWith('_TIMEOUT') ? 'timeout' : 'broken');
    exchange.onCancel = null;
    exchange.upstreamEndedAt = performance.now();
    exchange.fail(error);
  }

  onUpgrade(head: UpstreamHead, upstream: Socket, rest: Buffer | null): void {
    const exchange = this.#exchange;
    this.#connection = null;
    this.#over('success');
    exchange.onCancel = null;
    exchange.upstreamStatus = 101;
    exchange.upstreamHeaders = head.headers;
    // An upstream that switches to something else than what the client asked for speaks to nobody.
    if (head.headers.getKnown(H.UPGRADE)?.toLowerCase() !== exchange.upgrade) {
      upstream.destroy();
      exchange.fail(
        new ProxyError('UPSTREAM_BAD_RESPONSE', 'the upstream switched to a protocol that was not asked for'),
      );
      return;
    }
    const tunnel = exchange.client.upgrade(head.headers);
    if (tunnel === null) {
      upstream.destroy();
      exchange.fail(new ProxyError('PROXY_INTERNAL', 'the client connection cannot be upgraded'));
      return;
    }
    exchange.responseHeaders = head.headers;
    splice(exchange, tunnel, upstream, rest);
  }

  readonly #resume = (): void => {
    this.#connection?.resume();
  };

  /** The client left: the upstream must notice at once, so that it stops working. */
  readonly #cancel = (): void => {
    this.#giveUp?.();
    this.#giveUp = null;
    const connection = this.#connection;
    this.#connection = null;
    connection?.destroy();
    this.#over(null);
  };

  /** The one place where the outcome of an attempt is told. */
  #tell(outcome: Outcome): void {
    this.#endpoint.state.record(outcome);
  }

  /** The attempt is over. @param outcome null where it has been told, or there is none to tell */
  #over(outcome: Outcome | null): void {
    if (this.#done) return;
    this.#done = true;
    this.#endpoint.state.inFlight--;
    if (outcome !== null) this.#tell(outcome);
  }
}
