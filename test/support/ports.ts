import { createServer } from 'node:net';

/**
 * Below Linux' ephemeral range (32768 up), so that no outgoing connection of another test takes the port between the
 * look and its use.
 */
const LOWEST = 18_000;
const COUNT = 14_000;
/** Test processes that run at the same time (`maxWorkers`) each have a share: what one has been given and does not use yet, another must not be given. */
const SHARES = 2;
const SHARE = (Number(process.env.VITEST_POOL_ID ?? 1) - 1) % SHARES;

const given = new Set<number>();

/** A loopback TCP port that nobody listens on; never given twice by one process. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = LOWEST + Math.floor((SHARE + Math.random()) * (COUNT / SHARES));
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(host, port)) return port;
  }
  throw new Error(`no free port found on ${host} between ${LOWEST} and ${LOWEST + COUNT}`);
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
