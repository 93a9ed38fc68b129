import type { ReplacePathRegexMiddleware } from '../../core/config/middlewares.ts';
import { configuredRegex } from './config-value.ts';
import { setPath } from './path-edit.ts';
import type { MiddlewareFactory } from './types.ts';

/**
 * Replaces what matches in the (percent-encoded) path; the query stays, and cannot be made: a `?` in the replacement is
 * encoded. An empty replacement does nothing, as in Traefik.
 * @throws where the expression is invalid
 */
export const replacePathRegex: MiddlewareFactory<ReplacePathRegexMiddleware> = (config) => {
  const regex = configuredRegex(config.regex.trim(), 'replacePathRegex.regex');
  const replacement = config.replacement.trim();

  return (next) => (exchange) => {
    const path = exchange.path;
    if (replacement !== '' && path !== '*' && regex.test(path)) {
      exchange.headers.append('X-Replaced-Path', path);
      setPath(exchange, regex.replace(path, replacement));
    }
    next(exchange);
  };
};
