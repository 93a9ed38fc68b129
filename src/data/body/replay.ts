import type { Exchange } from '../exchange.ts';
import { mayRepeat, type RetryPolicy } from '../retry/policy.ts';
import { KeptBody } from './kept-body.ts';
import { record } from './record.ts';

/** Keeps a body that may have to be sent again, within the policy's bounds. Before it is read. */
export function keepForReplay(exchange: Exchange, policy: RetryPolicy): void {
  if (policy.attempts < 2 || (exchange.source instanceof KeptBody && exchange.source.replayable)) return;
  if (!mayRepeat(policy, exchange.method) || exchange.length > policy.bodyLimit) return;
  record(exchange, policy.bodyLimit);
}

/** Whether a request's body, if any, can be sent from its start. @param taken whether somebody has begun to read it */
export function bodyIsThere({ body, source }: Exchange, taken: boolean): boolean {
  return body === 'none' || !taken || (source instanceof KeptBody && source.replayable);
}

/** Who read the body is gone; somebody else will begin anew. */
export function detachBody({ source }: Exchange): void {
  if (source instanceof KeptBody) source.detach();
}

/** Nobody will read the body again. */
export function releaseBody({ source }: Exchange): void {
  if (source instanceof KeptBody) source.release();
}
