import type { ReplacePathMiddleware } from '../../core/config/middlewares.ts';
import { encodePath, setPath } from './path-edit.ts';
import type { MiddlewareFactory } from './types.ts';

/** Replaces the path; the query stays. X-Replaced-Path tells the upstream what it was. */
export const replacePath: MiddlewareFactory<ReplacePathMiddleware> = (config) => {
  const path = encodePath(config.path);
  return (next) => (exchange) => {
    exchange.headers.append('X-Replaced-Path', exchange.path);
    setPath(exchange, path);
    next(exchange);
  };
};
