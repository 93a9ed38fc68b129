import type { Middleware } from '../../core/config/dynamic.ts';
import { addPrefix } from './add-prefix.ts';
import { basicAuth } from './basic-auth.ts';
import { buffering } from './buffering.ts';
import { chain } from './chain.ts';
import { circuitBreaker } from './circuit-breaker.ts';
import { headers } from './headers.ts';
import { inFlightReq } from './in-flight-req.ts';
import { ipAllowList, ipWhiteList } from './ip-allow-list.ts';
import { rateLimit } from './rate-limit.ts';
import { redirectRegex } from './redirect-regex.ts';
import { redirectScheme } from './redirect-scheme.ts';
import { replacePath } from './replace-path.ts';
import { replacePathRegex } from './replace-path-regex.ts';
import { retry } from './retry.ts';
import { stripPrefix } from './strip-prefix.ts';
import { stripPrefixRegex } from './strip-prefix-regex.ts';
import type { MiddlewareFactory } from './types.ts';

type Registry = { readonly [K in keyof Middleware]?: MiddlewareFactory<NonNullable<Middleware[K]>> };

/** What this worker can do. To add one: its file, a line here, and its name in core/capabilities.ts. */
export const MIDDLEWARES = {
  addPrefix,
  basicAuth,
  buffering,
  chain,
  circuitBreaker,
  headers,
  inFlightReq,
  ipAllowList,
  ipWhiteList,
  rateLimit,
  redirectRegex,
  redirectScheme,
  replacePath,
  replacePathRegex,
  retry,
  stripPrefix,
  stripPrefixRegex,
} as const satisfies Registry;
