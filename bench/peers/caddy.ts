import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram, runToEnd } from '../processes.ts';
import { renderTemplate } from '../template.ts';
import { forHosts } from './hosts.ts';
import type { Peer } from './peer.ts';

const TEMPLATE = join(import.meta.dirname, 'config/Caddyfile');

/** Caddy. Go takes the number of threads from the processors it is pinned to, or from GOMAXPROCS. */
export const caddy: Peer = {
  name: 'caddy',
  warmsUp: false,
  lacks: [],
  missing: () => (findProgram('caddy') === null ? 'caddy is not installed (Debian: apt install caddy)' : null),
  version: () =>
    runToEnd(findProgram('caddy') ?? 'caddy', ['version'])
      .trim()
      .split(' ')[0] ?? 'unknown',
  prepare({ tls, port, adminPort, upstreamPort, certificate, directory, workers, routers, accessLog }) {
    const render = (reloads: number): string =>
      renderTemplate(TEMPLATE, directory, {
        tls,
        scheme: tls ? 'https' : 'http',
        port,
        adminPort,
        upstreamPort,
        directory,
        certFile: certificate.certFile,
        keyFile: certificate.keyFile,
        logging: accessLog !== null,
        accessLog: accessLog ?? '',
        routers: forHosts(routers, (host) => `http://${host}:${port} {\n  import site\n}`),
        generation: reloads,
      });
    const file = render(0);
    return {
      command: findProgram('caddy') ?? 'caddy',
      args: ['run', '--config', file, '--adapter', 'caddyfile'],
      env: { GOMAXPROCS: String(workers), HOME: directory, XDG_DATA_HOME: directory, XDG_CONFIG_HOME: directory },
      async reload(_running, n) {
        render(n);
        const answer = await fetch(`http://127.0.0.1:${adminPort}/load`, {
          method: 'POST',
          headers: { 'content-type': 'text/caddyfile' },
          body: readFileSync(file, 'utf8'),
        });
        if (!answer.ok) throw new Error(`caddy refused its configuration: ${await answer.text()}`);
      },
    };
  },
};
