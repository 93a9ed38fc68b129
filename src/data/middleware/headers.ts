import type { HeadersMiddleware } from '../../core/config/middlewares.ts';
import type { ResponseHook } from '../exchange.ts';
import { corsOf } from './cors.ts';
import { applyEdits, applyRequestEdits, customEdits, hostEdit, setHost } from './header-edits.ts';
import { securityOf } from './security-headers.ts';
import type { MiddlewareFactory } from './types.ts';

/**
 * Traefik's `headers`: CORS, then custom request headers, then the security checks; on the way back the security headers, then
 * the custom ones, then CORS, each over what was there. A preflight is answered here and sees none of the rest.
 * @throws where a name is no header name, a value has control characters, or an expression is invalid
 */
export const headers: MiddlewareFactory<HeadersMiddleware> = (config, context) => {
  const cors = corsOf(config, context);
  const requestEdits = customEdits(config.customRequestHeaders, 'headers.customRequestHeaders', context);
  const responseEdits = customEdits(config.customResponseHeaders, 'headers.customResponseHeaders', context);
  const host = hostEdit(config.customRequestHeaders);
  const security = securityOf(config, context);
  const onResponse: ResponseHook | null =
    responseEdits.length === 0 && cors === null
      ? null
      : (exchange, response) => {
          applyEdits(response.headers, responseEdits);
          cors?.onResponse(exchange, response);
        };

  return (next) => (exchange) => {
    if (cors?.answerPreflight(exchange)) return;
    if (requestEdits.length > 0) applyRequestEdits(exchange.headers, requestEdits);
    if (host !== null) setHost(exchange, host);
    // The hook added last runs first: the security headers are made before the custom ones, which may change them.
    if (onResponse !== null) exchange.onResponse(onResponse);
    if (!security.hostAllowed(exchange)) {
      exchange.replyText(500, 'Bad Host\n');
      return;
    }
    if (security.hook !== null) exchange.onResponse(security.hook);
    next(exchange);
  };
};
