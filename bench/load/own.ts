import { join } from 'node:path';
import { runGenerator } from './child.ts';
import type { Generator, LoadResult, Pattern, Target } from './load.ts';

/** Our own raw client: one connection a request, every TLS handshake a full one. */
export const ownGenerator: Generator = {
  name: 'own',
  refuses(pattern: Pattern): string | null {
    return pattern.connection === 'per-request' ? null : 'the own client only makes a connection for each request';
  },
  async run(target: Target, pattern: Pattern, seconds: number): Promise<LoadResult> {
    const stdout = await runGenerator({
      command: process.execPath,
      args: [join(import.meta.dirname, 'own-client.ts'), JSON.stringify({ target, pattern, seconds })],
      interruptAfterMs: null,
      limitMs: (seconds + 20) * 1_000,
    });
    return JSON.parse(stdout) as LoadResult;
  },
};
