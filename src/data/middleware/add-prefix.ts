import type { AddPrefixMiddleware } from '../../core/config/middlewares.ts';
import { encodePath, setPath } from './path-edit.ts';
import type { MiddlewareFactory } from './types.ts';

/**
 * Puts a prefix before the path.
 * @throws where the prefix is empty
 */
export const addPrefix: MiddlewareFactory<AddPrefixMiddleware> = (config) => {
  if (config.prefix === '') throw new Error('addPrefix.prefix is empty');
  const prefix = encodePath(config.prefix);
  return (next) => (exchange) => {
    if (exchange.path !== '*') setPath(exchange, prefix + exchange.path);
    next(exchange);
  };
};
