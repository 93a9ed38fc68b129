import type { LoadBalancer } from './config/dynamic.ts';

/** Requests under way at a time at one server of a service, 0 = no limit. A connection carries one request. */
export function slotsPerServer({ maxInFlight = 0, maxConnections = 0 }: LoadBalancer): number {
  if (maxInFlight === 0) return maxConnections;
  return maxConnections === 0 ? maxInFlight : Math.min(maxInFlight, maxConnections);
}
