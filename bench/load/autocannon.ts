import type { Generator, LoadResult, Pattern, Target } from './load.ts';
import { runScript } from './own.ts';

/** autocannon: comes with the package, so it is there where wrk is not. Costs more per request than the proxy does. */
export const autocannonGenerator: Generator = {
  name: 'autocannon',
  refuses(pattern: Pattern): string | null {
    // Its overallRate sends what is due in a second at the second's start, as fast as answers come: that is full load.
    if (pattern.kind === 'paced') return 'autocannon spreads no requests over a second';
    if (pattern.kind !== 'http') return `autocannon makes no ${pattern.kind} load`;
    // Seen with 9.0.0: `reconnectRate: 1` resets each connection before its answer is counted, so the result is 0.
    return pattern.connection === 'per-request' ? 'autocannon counts no answers when it reconnects for each' : null;
  },
  run: (target: Target, pattern: Pattern, seconds: number): Promise<LoadResult> =>
    runScript('autocannon-client.ts', target, pattern, seconds),
};
