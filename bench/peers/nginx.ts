import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram, runToEnd } from '../processes.ts';
import { renderTemplate } from '../template.ts';
import { forHosts } from './hosts.ts';
import type { Peer } from './peer.ts';

const TEMPLATE = join(import.meta.dirname, 'config/nginx.conf');

/** nginx, pooled upstream. */
export const nginx: Peer = {
  name: 'nginx',
  warmsUp: false,
  lacks: [],
  missing: () => (findProgram('nginx') === null ? 'nginx is not installed (Debian: apt install nginx-light)' : null),
  version: () => /nginx\/([\d.]+)/.exec(runToEnd(findProgram('nginx') ?? 'nginx', ['-v']))?.[1] ?? 'unknown',
  prepare({ tls, port, upstreamPort, certificate, directory, workers, routers, accessLog }) {
    const render = (reloads: number): string =>
      renderTemplate(TEMPLATE, directory, {
        tls,
        plain: !tls,
        port,
        upstreamPort,
        workers,
        certFile: certificate.certFile,
        keyFile: certificate.keyFile,
        // Without this line, workers of an nginx started by root change to a user who cannot enter the run's folder.
        root: process.getuid?.() === 0,
        routers: forHosts(routers, (host) =>
          [
            `  server { listen 127.0.0.1:${port}; server_name ${host};`,
            '    location / { include proxy.conf; proxy_pass http://backend; } }',
          ].join('\n'),
        ),
        logging: accessLog !== null,
        quiet: accessLog === null,
        accessLog: accessLog ?? '',
        generation: `generation-${reloads}.bench.internal`,
      });
    renderTemplate(join(import.meta.dirname, 'config/nginx-proxy.conf'), directory, {}, 'proxy.conf');
    const file = render(0);
    mkdirSync(join(directory, 'temp'), { recursive: true });
    return {
      command: findProgram('nginx') ?? 'nginx',
      args: ['-p', directory, '-e', 'stderr', '-c', file],
      reload: (running, n) => {
        render(n);
        process.kill(running.pid, 'SIGHUP');
      },
    };
  },
};
