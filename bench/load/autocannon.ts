import { join } from 'node:path';
import { runGenerator } from './child.ts';
import type { Generator, LoadResult, Pattern, Target } from './load.ts';

/** autocannon: comes with the package, so it is there where wrk is not. Costs more per request than the proxy does. */
export const autocannonGenerator: Generator = {
  name: 'autocannon',
  refuses(pattern: Pattern): string | null {
    // Seen with 9.0.0: `reconnectRate: 1` resets each connection before its answer is counted, so the result is 0.
    return pattern.connection === 'per-request' ? 'autocannon counts no answers when it reconnects for each' : null;
  },
  async run(target: Target, pattern: Pattern, seconds: number): Promise<LoadResult> {
    const stdout = await runGenerator({
      command: process.execPath,
      args: [join(import.meta.dirname, 'autocannon-client.ts'), JSON.stringify({ target, pattern, seconds })],
      interruptAfterMs: null,
      limitMs: (seconds + 20) * 1_000,
    });
    return JSON.parse(stdout) as LoadResult;
  },
};
