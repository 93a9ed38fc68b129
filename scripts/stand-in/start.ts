import http from 'node:http';
import { BACKENDS, type Backend } from './backends.ts';
import { serveRoutes } from './respond.ts';

export interface StandIns {
  /** One line for each backend: what stands there. */
  readonly lines: readonly string[];
  close(): Promise<void>;
}

/**
 * Starts a stand-in for each backend of the routing table, all in this process. An address that is taken is left to who
 * has it: that is the real backend. One that this machine does not have is said, and the rest is served.
 */
export async function startStandIns(): Promise<StandIns> {
  const servers: http.Server[] = [];
  const lines = await Promise.all(
    BACKENDS.map(async (backend) => {
      const server = http.createServer(serveRoutes(backend.name, backend.routes));
      const problem = await listen(server, backend);
      if (problem === null) servers.push(server);
      return `${backend.name.padEnd(18)} ${`${backend.address}:${backend.port}`.padEnd(18)} ${problem ?? 'stand-in started (no model behind it)'}`;
    }),
  );
  return {
    lines,
    close: async () => {
      await Promise.all(
        servers.map(
          (server) =>
            new Promise<void>((resolve) => {
              server.close(() => resolve());
              server.closeAllConnections();
            }),
        ),
      );
    },
  };
}

/** @returns null, or why there is no stand-in */
function listen(server: http.Server, { address, port }: Backend): Promise<string | null> {
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => resolve(explain(error, address)));
    server.listen({ host: address, port }, () => resolve(null));
  });
}

function explain(error: NodeJS.ErrnoException, address: string): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return 'the address is taken: taken for the real backend, no stand-in';
    case 'EADDRNOTAVAIL':
      return `no stand-in: this machine has no ${address} (macOS: sudo ifconfig lo0 alias ${address} up)`;
    default:
      return `no stand-in: ${error.message}`;
  }
}
