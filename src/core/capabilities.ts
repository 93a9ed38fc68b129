import type { MiddlewareType } from './config/dynamic.ts';

/** The middlewares that workers can do. `data/middleware/registry.ts` must have exactly these (a test holds them equal). */
export const IMPLEMENTED_MIDDLEWARES: ReadonlySet<MiddlewareType> = new Set<MiddlewareType>([
  'addPrefix',
  'basicAuth',
  'buffering',
  'chain',
  'circuitBreaker',
  'headers',
  'inFlightReq',
  'ipAllowList',
  'ipWhiteList',
  'rateLimit',
  'redirectRegex',
  'redirectScheme',
  'replacePath',
  'replacePathRegex',
  'retry',
  'stripPrefix',
  'stripPrefixRegex',
]);

/**
 * Of those that are not implemented, the ones that protect nothing: without them a request is served less well, never less
 * safely. A router that uses any other one refuses its requests.
 */
export const SAFE_TO_SKIP: ReadonlySet<MiddlewareType> = new Set<MiddlewareType>([
  'compress',
  'contentType',
  'errors',
  'grpcWeb',
]);
