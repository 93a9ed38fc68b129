import { get } from 'node:http';
import { get as getTls } from 'node:https';
import { createServer } from 'node:net';
import { HOST, type Target } from './load/load.ts';
import { delay, type Running } from './processes.ts';

const START_LIMIT_MS = 60_000;

/** A port on 127.0.0.1 that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

/** Waits until the target answers 200. Rejects with the process's own output when it ends or takes over a minute. */
export async function waitUntilServing(target: Target, running: Running): Promise<void> {
  const limit = Date.now() + START_LIMIT_MS;
  let last = 'no answer';
  while (Date.now() < limit) {
    if (running.ended()) throw new Error(`${running.name} ended before it served: ${running.output()}`);
    last = await statusOf(target);
    if (last === '200') return;
    await delay(50);
  }
  throw new Error(`${running.name} did not answer 200 within a minute (last: ${last}): ${running.output()}`);
}

/** The status of one GET, or the code of the error. */
function statusOf(target: Target): Promise<string> {
  return new Promise((resolve) => {
    const options = {
      host: '127.0.0.1',
      port: target.port,
      path: target.path,
      headers: { host: HOST },
      servername: HOST,
      // The certificate was made for this run and is signed by itself.
      rejectUnauthorized: false,
      timeout: 2_000,
      agent: false as const,
    };
    const request = target.tls ? getTls(options) : get(options);
    request.once('timeout', () => request.destroy(new Error('timeout')));
    request.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    request.once('response', (response) => {
      response.resume();
      response.once('close', () => resolve(String(response.statusCode)));
    });
  });
}
