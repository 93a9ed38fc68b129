import { z } from 'zod';
import { type DeepReadonly, flag, integer, strings, text } from './scalars.ts';
import { domainSchema } from './tls.ts';
import { timeoutsSchema } from './upstreams.ts';

export const routerTlsSchema = z.strictObject({
  options: text.exactOptional(),
  certResolver: text.exactOptional(),
  domains: z.array(domainSchema).exactOptional(),
});
export type RouterTls = DeepReadonly<z.output<typeof routerTlsSchema>>;

/** What is absent is as the entry point has it. */
export const observabilitySchema = z.strictObject({
  accessLogs: flag.exactOptional(),
  metrics: flag.exactOptional(),
  tracing: flag.exactOptional(),
  traceVerbosity: z.enum(['minimal', 'detailed']).default('minimal'),
});
export type Observability = DeepReadonly<z.output<typeof observabilitySchema>>;

const ruleSyntax = z.enum(['v2', 'v3']);

export const routerSchema = z
  .strictObject({
    /** Absent = the default entry points. */
    entryPoints: strings.exactOptional(),
    middlewares: strings.default([]),
    service: text,
    rule: text,
    ruleSyntax: ruleSyntax.exactOptional(),
    /** 0 = the length of the rule in bytes. */
    priority: integer.default(0),
    /** Present, even empty: the router sees only TLS requests. */
    tls: routerTlsSchema.exactOptional(),
    observability: observabilitySchema.exactOptional(),
    /** Ours: instead of what the service says. */
    timeouts: timeoutsSchema.exactOptional(),
    /** Traefik's layered routing; a router that has it can only be reached through its parents. */
    parentRefs: strings.exactOptional(),
  })
  .check(({ value, issues }) => {
    if (value.parentRefs === undefined) return;
    // Served on its own, a child would be reachable without what its parents ask for, such as authentication.
    issues.push({
      code: 'custom',
      path: ['parentRefs'],
      message: 'layered routers (`parentRefs`) are not supported',
      input: value,
      params: { code: 'not-supported', hint: "write the parents' rule and middlewares into this router" },
    });
  });
export type Router = DeepReadonly<z.output<typeof routerSchema>>;

export const tcpRouterSchema = z.strictObject({
  entryPoints: strings.exactOptional(),
  middlewares: strings.default([]),
  service: text,
  rule: text,
  ruleSyntax: ruleSyntax.exactOptional(),
  priority: integer.default(0),
  tls: routerTlsSchema.extend({ passthrough: flag.default(false) }).exactOptional(),
});
export type TcpRouter = DeepReadonly<z.output<typeof tcpRouterSchema>>;

export const udpRouterSchema = z.strictObject({ entryPoints: strings.exactOptional(), service: text });
export type UdpRouter = DeepReadonly<z.output<typeof udpRouterSchema>>;
