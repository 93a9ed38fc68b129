import type { StripPrefixMiddleware } from '../../core/config/middlewares.ts';
import { fieldValue } from './config-value.ts';
import { encodePath, setPath } from './path-edit.ts';
import type { MiddlewareFactory } from './types.ts';

/**
 * Takes the first matching prefix off the path, and says so in X-Forwarded-Prefix. A prefix is a plain string, as in Traefik:
 * `/api` is also taken off `/apiv2`, which becomes `/v2`.
 */
export const stripPrefix: MiddlewareFactory<StripPrefixMiddleware> = (config) => {
  const prefixes = config.prefixes.map((prefix) => ({
    path: encodePath(prefix),
    header: fieldValue(prefix, 'stripPrefix.prefixes'),
  }));
  const forceSlash = config.forceSlash ?? false;

  return (next) => (exchange) => {
    const path = exchange.path;
    for (let i = 0; i < prefixes.length; i++) {
      const prefix = prefixes[i]!;
      if (!path.startsWith(prefix.path)) continue;
      const rest = path.slice(prefix.path.length);
      setPath(exchange, forceSlash && !rest.startsWith('/') ? `/${rest}` : rest);
      exchange.headers.append('X-Forwarded-Prefix', prefix.header);
      break;
    }
    next(exchange);
  };
};
