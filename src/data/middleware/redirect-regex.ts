import type { RedirectRegexMiddleware } from '../../core/config/middlewares.ts';
import { configuredRegex } from './config-value.ts';
import { asciiTarget, redirect } from './location.ts';
import type { MiddlewareFactory } from './types.ts';

/**
 * Redirects where the whole URL (`scheme://host:port/path?query`) matches, to what the replacement makes of it. A URL that
 * comes out as it was goes on: there would be no end.
 * @throws where the expression is invalid
 */
export const redirectRegex: MiddlewareFactory<RedirectRegexMiddleware> = (config) => {
  const regex = configuredRegex(config.regex, 'redirectRegex.regex');
  const { replacement, permanent } = config;

  return (next) => (exchange) => {
    const url = `${exchange.secure ? 'https' : 'http'}://${exchange.authority}${asciiTarget(exchange)}`;
    if (regex.test(url)) {
      const replaced = regex.replace(url, replacement);
      if (replaced !== url) {
        redirect(exchange, replaced, permanent);
        return;
      }
    }
    next(exchange);
  };
};
