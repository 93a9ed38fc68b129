import type { CircuitBreakerMiddleware } from '../../core/config/middlewares.ts';
import { ProxyError } from '../../core/errors.ts';
import { parseExpression } from '../../core/expression.ts';
import { BREAKER_FUNCTIONS } from '../../core/expressions.ts';
import { type Exchange, reasonOf } from '../exchange.ts';
import { HeaderList } from '../headers/header-list.ts';
import { Breaker } from '../limits/breaker.ts';
import type { MiddlewareFactory } from './types.ts';

/**
 * Answers by itself while the `expression` over what lies behind says that it is broken. Each worker judges by what it sees;
 * the first that finds it broken opens it in all.
 * @throws where the expression or the status cannot be used
 */
export const circuitBreaker: MiddlewareFactory<CircuitBreakerMiddleware> = (config, context) => {
  const parsed = parseExpression(config.expression, BREAKER_FUNCTIONS);
  if (!parsed.ok) throw new Error(`circuitBreaker.expression: ${parsed.message}`);
  const { responseCode, checkPeriod, fallbackDuration, recoveryDuration } = config;
  if (responseCode < 200 || responseCode > 599) {
    throw new Error(`circuitBreaker.responseCode: ${responseCode} is not an HTTP status that can be answered`);
  }
  const { limits, scope, name } = context;
  const breaker = new Breaker({ expression: parsed.expression, checkPeriod, fallbackDuration, recoveryDuration });
  limits?.join(scope, breaker);

  const over = (exchange: Exchange, startedAt: number): void => {
    const now = performance.now();
    const { status, error } = exchange;
    const networkError = status === 502 || status === 504 || error?.source === 'upstream';
    // How long a websocket was open says nothing.
    const latency = status === 101 ? -1 : now - startedAt;
    if (!breaker.record(status, networkError, latency, now)) return;
    limits?.opened(scope, fallbackDuration);
    context.log('warn', `the circuit breaker ${scope} opened for ${fallbackDuration} ms: ${config.expression}`, {
      middleware: name,
    });
  };

  return (next) => (exchange) => {
    const now = performance.now();
    if (breaker.admits(now)) {
      exchange.onOver(() => over(exchange, now));
      next(exchange);
      return;
    }
    exchange.error ??= new ProxyError('PROXY_CIRCUIT_OPEN', `${scope} is ${breaker.state}`);
    const text = reasonOf(responseCode);
    const headers = HeaderList.of('Content-Type', 'text/plain; charset=utf-8');
    const wait = breaker.waitMs(now);
    if (wait > 0) headers.append('Retry-After', String(Math.ceil(wait / 1000)));
    exchange.reply(responseCode, headers, text);
  };
};
