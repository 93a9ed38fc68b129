import type { Handler } from '../exchange.ts';

/** What a middleware may use of the worker when it is compiled. */
export interface MiddlewareContext {
  /** Qualified name, for messages. */
  readonly name: string;
  readonly log: (level: 'debug' | 'info' | 'warn' | 'error', message: string, fields?: Record<string, unknown>) => void;
}

/**
 * Compiles one configured middleware: checks and prepares everything once, and returns what wraps the next handler. What it
 * returns is shared by all routers that use it. Throws where the configuration cannot be served; the router then refuses.
 */
export type MiddlewareFactory<C> = (config: C, context: MiddlewareContext) => (next: Handler) => Handler;
