import type { Affinity } from '../../core/config/dynamic.ts';
import type { StickyCookie } from '../balancer/sticky.ts';
import type { Balancer, Endpoint } from '../balancer/types.ts';
import type { RetryBudget } from '../retry/budget.ts';
import type { RetryPolicy } from '../retry/policy.ts';
import type { SlotPolicy } from '../slots.ts';
import type { StreamMeter } from '../stream-meter.ts';
import type { Timeouts } from '../timeouts.ts';

/** What a service is to the forwarder. */
export interface ForwardTarget {
  readonly name: string;
  readonly passHostHeader: boolean;
  readonly balancer: Balancer;
  readonly sticky: StickyCookie<Endpoint> | null;
  readonly affinity: Affinity | null;
  /** With nobody left, those that are out are used all the same. */
  readonly leastBad: boolean;
  readonly timeouts: Timeouts;
  readonly retryPolicy: RetryPolicy;
  readonly retryBudget: RetryBudget;
  readonly streams: StreamMeter;
  readonly counts: ServiceCounts;
  /** Set where its servers have a limit. */
  readonly slots: SlotPolicy | null;
}

/** What is counted of a service in this worker. */
export interface ServiceCounts {
  retries: number;
}
