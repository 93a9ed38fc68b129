import type { Handler } from '../exchange.ts';
import type { LimitDesk } from '../limits/limit-desk.ts';

/** What a middleware may use of the worker when it is compiled. */
export interface MiddlewareContext {
  /** Qualified name, for messages. */
  readonly name: string;
  /** For what counts: its name, and of those that count for each router by itself, the router's. */
  readonly scope: string;
  /** Where limits that hold for all workers are asked for; null: there are no other workers, and no primary. */
  readonly limits: LimitDesk | null;
  readonly log: (level: 'debug' | 'info' | 'warn' | 'error', message: string, fields?: Record<string, unknown>) => void;
}

/**
 * Compiles one configured middleware: checks and prepares everything once, and returns what wraps the next handler. What it
 * returns is shared by all routers that use it. Throws where the configuration cannot be served; the router then refuses.
 */
export type MiddlewareFactory<C> = (config: C, context: MiddlewareContext) => (next: Handler) => Handler;
