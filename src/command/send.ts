import http from 'node:http';
import { EXIT } from './exit-code.ts';
import { CommandError } from './fail.ts';

/** What the running proxy answered. */
export interface Reply {
  /** Whether it did what was asked; else `data.message` says why not. */
  readonly ok: boolean;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Sends one command over a control socket. @throws Error of the system where nobody answers */
export function send(socketPath: string, verb: string, args: object, timeoutMs: number): Promise<Reply> {
  const strange = `${socketPath} does not answer as a proxy does`;
  return new Promise((resolve, reject) => {
    const request = http.request(
      {
        socketPath,
        path: `/${verb}`,
        method: 'POST',
        timeout: timeoutMs,
        headers: { 'Content-Type': 'application/json' },
      },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', reject);
        response.on('end', () => {
          try {
            const data = JSON.parse(Buffer.concat(parts).toString('utf8')) as Record<string, unknown>;
            resolve({ ok: response.statusCode === 200, data });
          } catch {
            reject(new CommandError(EXIT.refused, strange));
          }
        });
      },
    );
    request.on('timeout', () =>
      request.destroy(
        new CommandError(EXIT.refused, `the proxy at ${socketPath} does not answer: its primary may hang`),
      ),
    );
    request.on('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'ECONNRESET'
          ? new CommandError(EXIT.refused, 'the proxy ended before it had answered')
          : error.code?.startsWith('HPE_') === true
            ? new CommandError(EXIT.refused, strange)
            : error,
      ),
    );
    request.end(JSON.stringify(args));
  });
}
