import type { BufferingMiddleware } from '../../core/config/middlewares.ts';
import { ProxyError } from '../../core/errors.ts';
import { type Call, type Expression, holds, parseExpression } from '../../core/expression.ts';
import { RETRY_FUNCTIONS } from '../../core/expressions.ts';
import { BodyMemory } from '../body/body-memory.ts';
import { LimitedBody } from '../body/limited-body.ts';
import { RecordedBody } from '../body/recorded-body.ts';
import type { Exchange, Handler } from '../exchange.ts';
import { HeaderList } from '../headers/header-list.ts';
import type { RetryPolicy } from '../retry/policy.ts';
import { BufferedResponse } from './buffered-response.ts';
import type { MiddlewareFactory } from './types.ts';

const DEFAULT_MEMORY = 1024 * 1024;
const MOST_RETRIES = 10;

/** Of this worker. */
const memory = new BodyMemory();

/**
 * Reads a request's body before the request goes on, so that the upstream never waits for a slow client, and never sees a body
 * that is too long; bounds the response; tries again while `retryExpression` says so. Nothing is written to disk: what does not
 * fit into memory passes as it comes, and is cut where it is too long.
 * @throws where the expression cannot be read
 */
export const buffering: MiddlewareFactory<BufferingMiddleware> = (config, context) => {
  const { maxRequestBodyBytes, maxResponseBodyBytes, retryExpression = '' } = config;
  const requestMemory = config.memRequestBodyBytes > 0 ? config.memRequestBodyBytes : DEFAULT_MEMORY;
  const responseMemory = config.memResponseBodyBytes > 0 ? config.memResponseBodyBytes : DEFAULT_MEMORY;
  let expression: Expression | null = null;
  if (retryExpression !== '') {
    const parsed = parseExpression(retryExpression, RETRY_FUNCTIONS);
    if (!parsed.ok) throw new Error(`buffering.retryExpression: ${parsed.message}`);
    expression = parsed.expression;
  }
  const hold = new RequestHold(context.name, maxRequestBodyBytes, requestMemory);

  return (next) => (exchange) => {
    if (maxResponseBodyBytes > 0)
      exchange.response = new BufferedResponse(exchange, maxResponseBodyBytes, responseMemory, memory);
    if (expression !== null) exchange.retryPolicy = new ExpressionPolicy(exchange, expression);
    if (exchange.body === 'none') next(exchange);
    else hold.begin(exchange, next);
  };
};

/** Holds requests until their bodies have come. */
class RequestHold {
  readonly #name: string;
  readonly #max: number;
  /** Bytes that are held of one body. */
  readonly #bound: number;

  constructor(name: string, max: number, bound: number) {
    this.#name = name;
    this.#max = max > 0 ? max : Number.POSITIVE_INFINITY;
    this.#bound = Math.min(this.#max, bound);
  }

  begin(exchange: Exchange, next: Handler): void {
    const known = exchange.body === 'length' ? exchange.length : -1;
    if (known > this.#max) {
      exchange.fail(this.#tooLarge());
      return;
    }
    // The codec sees to it that it is no longer than it says.
    if (known > this.#bound) {
      next(exchange);
      return;
    }
    const reserved = known < 0 ? this.#bound : known;
    if (!memory.take(reserved)) {
      const error = new ProxyError('PROXY_OVERLOADED', `${this.#name}: too many bodies are held at a time`);
      error.retryAfterS = 1;
      exchange.fail(error);
      return;
    }
    exchange.onOver(() => memory.give(reserved));
    // Nobody else is there to ask.
    if (exchange.expectsContinue) {
      exchange.response.inform(100, 'Continue', HeaderList.of());
      exchange.headers.delete('expect');
    }
    const body = new RecordedBody(exchange.source, this.#bound, null);
    exchange.source = body;
    body.peek({
      isEnough: () => body.size > this.#bound,
      done: () => {
        if (!exchange.finished && !exchange.started) this.#go(exchange, body, next);
      },
    });
  }

  #go(exchange: Exchange, body: RecordedBody, next: Handler): void {
    if (body.size > this.#max) {
      exchange.fail(this.#tooLarge());
      return;
    }
    if (!body.complete) {
      if (this.#max < Number.POSITIVE_INFINITY)
        exchange.source = new LimitedBody(body, this.#max, () => cut(exchange, this.#tooLarge()));
    } else if (exchange.body === 'chunked' && body.trailers === null) {
      exchange.body = body.size === 0 ? 'none' : 'length';
      exchange.length = body.size;
    }
    next(exchange);
  }

  #tooLarge(): ProxyError {
    return new ProxyError('CLIENT_BODY_TOO_LARGE', `${this.#name}: the body is longer than ${this.#max} bytes`);
  }
}

/** Ends what is under way at the upstream, and answers. */
function cut(exchange: Exchange, error: ProxyError): void {
  if (exchange.finished) return;
  const cancel = exchange.onCancel;
  exchange.onCancel = null;
  cancel?.(error);
  exchange.fail(error);
}

/** Tries again while an expression holds. Whoever writes one means POST as well: it may ask for the method. */
class ExpressionPolicy implements RetryPolicy {
  readonly attempts = MOST_RETRIES + 1;
  readonly resends = MOST_RETRIES;
  readonly initialIntervalMs = 0;
  readonly withinMs = 0;
  readonly bodyLimit = 0;
  readonly nonIdempotent = true;
  readonly onStatus: (status: number) => boolean;
  readonly #exchange: Exchange;
  readonly #expression: Expression;

  constructor(exchange: Exchange, expression: Expression) {
    this.#exchange = exchange;
    this.#expression = expression;
    this.onStatus = (status) => holds(expression, (call) => this.#valueOf(call, status));
  }

  get onNetworkError(): boolean {
    return holds(this.#expression, (call) => this.#valueOf(call, 502));
  }

  #valueOf({ name }: Call, status: number): number | string | boolean {
    switch (name) {
      case 'Attempts':
        return this.#exchange.retries + 1;
      case 'RequestMethod':
        return this.#exchange.method;
      case 'IsNetworkError':
        return status === 502 || status === 504;
      default:
        return status;
    }
  }
}
