import type { Middleware } from '../../../src/core/config/dynamic.ts';
import { middlewareSchema } from '../../../src/core/config/middlewares.ts';
import type { Exchange } from '../../../src/data/exchange.ts';
import type { LimitDesk } from '../../../src/data/limits/limit-desk.ts';
import { MIDDLEWARES } from '../../../src/data/middleware/registry.ts';
import type { MiddlewareFactory } from '../../../src/data/middleware/types.ts';
import { type FakeClient, type FakeRequest, FakeUpstream, fakeExchange } from '../../support/fake-client.ts';

/** The configuration as the control plane decodes it, defaults filled in. */
export function decode(config: unknown): Middleware {
  return middlewareSchema.parse(config);
}

export interface Compiled {
  readonly warnings: string[];
  run(
    request?: FakeRequest,
    upstream?: FakeUpstream,
  ): { exchange: Exchange; client: FakeClient; upstream: FakeUpstream };
}

/** Compiles one middleware from what an operator writes: `{ stripPrefix: { prefixes: ['/a'] } }`. */
export function compile(written: unknown, limits: LimitDesk | null = null): Compiled {
  const config = decode(written);
  const type = Object.keys(config)[0] as keyof typeof MIDDLEWARES;
  const warnings: string[] = [];
  const wrap = (MIDDLEWARES[type] as MiddlewareFactory<unknown>)(config[type], {
    name: `test@file`,
    scope: 'test@file of r@file',
    limits,
    log: (_level, message) => warnings.push(message),
  });
  return {
    warnings,
    run(request = {}, upstream = new FakeUpstream()) {
      const { exchange, client } = fakeExchange(request);
      wrap(upstream.handler)(exchange);
      return { exchange, client, upstream };
    },
  };
}
