import { spawn } from 'node:child_process';
import { delay } from '../processes.ts';

/** A generator's process and how it is ended. */
export interface Child {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds after which it gets SIGINT and is expected to report; null when it ends by itself. */
  readonly interruptAfterMs: number | null;
  /** Milliseconds after which it is killed and counts as failed. */
  readonly limitMs: number;
}

/** Runs a load generator to its end and gives its stdout. It inherits the bench's processor. Rejects when it fails. */
export async function runGenerator(child: Child): Promise<string> {
  const running = spawn(child.command, child.args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...child.env },
  });
  let stdout = '';
  let stderr = '';
  running.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString('utf8');
  });
  running.stderr.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString('utf8')).slice(-2_048);
  });
  // Never outlives the bench: 'exit' listeners run on every way out but SIGKILL.
  const end = (): void => void running.kill('SIGKILL');
  process.once('exit', end);
  const limit = setTimeout(end, child.limitMs);
  try {
    const status = new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
      running.once('error', reject);
      running.once('close', (code, signal) => resolve(signal ?? code));
    });
    if (child.interruptAfterMs !== null) {
      await Promise.race([delay(child.interruptAfterMs), status]);
      running.kill('SIGINT');
    }
    const code = await status;
    if (code !== 0) throw new Error(`${child.command} ended with ${code}: ${stderr.trim() || stdout.trim()}`);
    return stdout;
  } finally {
    clearTimeout(limit);
    process.removeListener('exit', end);
  }
}
