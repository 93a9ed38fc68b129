import { SAFE_TO_SKIP } from '../../core/capabilities.ts';
import type { MiddlewareType } from '../../core/config/dynamic.ts';
import type { MiddlewareSnapshot } from '../../core/snapshot.ts';
import type { Handler } from '../exchange.ts';
import type { LimitDesk } from '../limits/limit-desk.ts';
import type { MiddlewareCache, Wrap } from './cache.ts';
import { flatten } from './chain.ts';
import { MIDDLEWARES } from './registry.ts';
import type { MiddlewareContext, MiddlewareFactory } from './types.ts';

/** What a pipeline is compiled with. */
export interface PipelineContext {
  readonly log: MiddlewareContext['log'];
  /** Of this runtime; what did not change comes from the one before. */
  readonly cache: MiddlewareCache;
  /** Whose pipeline it is. */
  readonly router: string;
  readonly limits: LimitDesk | null;
}

/** As in Traefik, each router that uses one of these has its own: what is counted for one service says nothing of another. */
const PER_ROUTER: ReadonlySet<MiddlewareType> = new Set<MiddlewareType>(['circuitBreaker', 'inFlightReq', 'rateLimit']);

/**
 * Composes a router's handler: the middlewares in the order written, then `last`. What this proxy cannot do is left out where
 * that is safe, with a warning.
 * @throws where a name is unknown, a chain contains itself, a configuration cannot be served, or leaving a middleware out
 *   would be unsafe; the router must then refuse its requests
 */
export function compilePipeline(
  names: readonly string[],
  middlewares: Readonly<Record<string, MiddlewareSnapshot>>,
  context: PipelineContext,
  last: Handler,
): Handler {
  let handler = last;
  const steps = flatten(names, middlewares);
  for (let i = steps.length - 1; i >= 0; i--) {
    const wrap = compileOne(steps[i]!, context);
    if (wrap !== null) handler = wrap(handler);
  }
  return handler;
}

function compileOne(middleware: MiddlewareSnapshot, context: PipelineContext): Wrap | null {
  const { name, config } = middleware;
  const type = typeOf(middleware);
  const factory = Object.hasOwn(MIDDLEWARES, type) ? MIDDLEWARES[type as keyof typeof MIDDLEWARES] : undefined;
  if (factory === undefined) {
    if (!SAFE_TO_SKIP.has(type))
      throw new Error(`the middleware ${name}: ${type} is not implemented, and to skip it is unsafe`);
    context.log('warn', `the middleware ${name} is skipped: ${type} is not implemented`, { middleware: name });
    return null;
  }
  const scope = PER_ROUTER.has(type) ? `${name} of ${context.router}` : name;
  return context.cache.take(scope, config, () => {
    try {
      // The registry's type ties each factory to the configuration under its own key.
      return (factory as MiddlewareFactory<unknown>)(config[type], {
        name,
        scope,
        limits: context.limits,
        log: context.log,
      });
    } catch (error) {
      throw new Error(`the middleware ${name}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
  });
}

function typeOf(middleware: MiddlewareSnapshot): MiddlewareType {
  for (const [type, config] of Object.entries(middleware.config)) {
    if (config !== undefined) return type as MiddlewareType;
  }
  throw new Error(`the middleware ${middleware.name} has no type`);
}
