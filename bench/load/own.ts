import { join } from 'node:path';
import { runGenerator } from './child.ts';
import type { Generator, LoadResult, Pattern, Target } from './load.ts';

/** Runs a script of this folder that prints a LoadResult. */
export async function runScript(
  script: string,
  target: Target,
  pattern: Pattern,
  seconds: number,
): Promise<LoadResult> {
  const stdout = await runGenerator({
    command: process.execPath,
    args: [join(import.meta.dirname, script), JSON.stringify({ target, pattern, seconds })],
    interruptAfterMs: null,
    limitMs: (seconds + 20) * 1_000,
  });
  return JSON.parse(stdout) as LoadResult;
}

/** Our own raw clients, for what no other generator makes: see the head of each script. */
export const ownGenerator: Generator = {
  name: 'own',
  refuses(pattern: Pattern): string | null {
    if (pattern.kind !== 'http') return null;
    if (pattern.connection === 'per-request' && pattern.upload === 0 && pattern.hosts === 0) return null;
    return 'the own client only makes a connection for each GET';
  },
  run(target, pattern, seconds) {
    const scripts = {
      http: 'own-client',
      paced: 'paced-client',
      websocket: 'websocket-client',
      events: 'events-client',
    };
    return runScript(`${scripts[pattern.kind]}.ts`, target, pattern, seconds);
  },
};
