import type { ProxyError } from '../../core/errors.ts';
import { type ClientStream, Exchange, type RequestBodySink, type Tunnel } from '../exchange.ts';

/** A client that is not there: gives a body, and throws the response away. */
class NoClient implements ClientStream {
  onDrain: (() => void) | null = null;
  exchange: Exchange | null = null;
  readonly #body: Buffer;

  constructor(body: Buffer) {
    this.#body = body;
  }

  readBody(sink: RequestBodySink): void {
    if (this.#body.length > 0) sink.data(this.#body);
    sink.end(null);
  }

  end(): void {
    this.exchange?.finish();
  }

  abort(error: ProxyError): void {
    if (this.exchange === null) return;
    this.exchange.error ??= error;
    this.exchange.finish();
  }

  data(): boolean {
    return true;
  }

  retract(): boolean {
    return false;
  }

  upgrade(): Tunnel | null {
    return null;
  }

  resumeBody(): void {}
  inform(): void {}
  start(): void {}
  flush(): void {}
}

/**
 * A copy of a request, whose response nobody sees.
 * @param body null: without one
 * @param onFinish called once, when it is over
 */
export function shadowOf(exchange: Exchange, body: Buffer | null, onFinish: () => void): Exchange {
  const client = new NoClient(body ?? Buffer.alloc(0));
  const shadow = new Exchange({
    client,
    peer: exchange.peer,
    entryPoint: exchange.entryPoint,
    method: exchange.method,
    protocol: exchange.protocol,
    authority: exchange.authority,
    headers: exchange.headers,
    body: body === null || body.length === 0 ? 'none' : 'length',
    length: body?.length ?? 0,
    onFinish,
  });
  client.exchange = shadow;
  shadow.host = exchange.host;
  shadow.path = exchange.path;
  shadow.matchPath = exchange.matchPath;
  shadow.query = exchange.query;
  shadow.hasQuery = exchange.hasQuery;
  return shadow;
}
