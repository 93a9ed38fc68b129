import type { AccessLog } from '../../core/config/static.ts';
import type { Facts } from './facts.ts';

/** Whether a line is wanted. Without filters each is; with several, one that says yes is enough, as in Traefik. */
export function compileFilter(config: AccessLog): (facts: Facts) => boolean {
  const { statusCodes, retryAttempts, minDuration } = config.filters;
  if (statusCodes.length === 0 && !retryAttempts && minDuration <= 0) return () => true;
  const statuses = new Uint8Array(1000);
  for (const range of statusCodes) {
    const [from = '', to = from] = range.split('-');
    statuses.fill(1, Number(from), Number(to) + 1);
  }
  return ({ status, exchange, duration }) =>
    statuses[status] === 1 ||
    (retryAttempts && exchange !== null && exchange.retries > 0) ||
    (minDuration > 0 && duration > minDuration);
}
