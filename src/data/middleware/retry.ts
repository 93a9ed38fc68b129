import type { RetryMiddleware } from '../../core/config/dynamic.ts';
import { policyOf } from '../retry/policy.ts';
import type { MiddlewareFactory } from './types.ts';

/** Says how often a request may be tried; the forwarder does it, because it alone knows what was sent and who is left. */
export const retry: MiddlewareFactory<RetryMiddleware> = (config) => {
  const policy = policyOf(config);
  return (next) => (exchange) => {
    exchange.retryPolicy = policy;
    next(exchange);
  };
};
