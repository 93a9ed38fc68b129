import type { StripPrefixRegexMiddleware } from '../../core/config/middlewares.ts';
import { matchForm } from '../../core/request-path.ts';
import { configuredRegex } from './config-value.ts';
import { encodePath, setPath } from './path-edit.ts';
import type { MiddlewareFactory } from './types.ts';

/**
 * Takes what the first matching expression finds at the start off the path, and says so in X-Forwarded-Prefix. Expressions
 * see the path decoded but for reserved characters, as rules do.
 * @throws where an expression is invalid
 */
export const stripPrefixRegex: MiddlewareFactory<StripPrefixRegexMiddleware> = (config) => {
  const expressions = config.regex.map((regex) => configuredRegex(regex.trim(), 'stripPrefixRegex.regex'));

  return (next) => (exchange) => {
    const path = exchange.path;
    const decoded = path.includes('%') ? (matchForm(path) ?? path) : path;
    for (let i = 0; i < expressions.length; i++) {
      const found = expressions[i]!.find(decoded);
      if (found === null || found[1] === found[0]) continue;
      // Encoded again, so that what was a line break in the URL is none in the header.
      const prefix = encodePath(decoded.slice(found[0], found[1]));
      if (!path.startsWith(prefix)) continue;
      setPath(exchange, path.slice(prefix.length));
      exchange.headers.append('X-Forwarded-Prefix', prefix);
      break;
    }
    next(exchange);
  };
};
