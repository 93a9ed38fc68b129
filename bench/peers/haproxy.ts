import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram, runToEnd } from '../processes.ts';
import { renderTemplate } from '../template.ts';
import { forHosts } from './hosts.ts';
import type { Peer } from './peer.ts';

const TEMPLATE = join(import.meta.dirname, 'config/haproxy.cfg');

/** HAProxy, a thread for each worker, upstream connections reused. */
export const haproxy: Peer = {
  name: 'haproxy',
  warmsUp: false,
  lacks: [],
  missing: () => (findProgram('haproxy') === null ? 'haproxy is not installed (Debian: apt install haproxy)' : null),
  version: () => /version (\d[\d.]*\d)/.exec(runToEnd(findProgram('haproxy') ?? 'haproxy', ['-v']))?.[1] ?? 'unknown',
  prepare({ tls, port, upstreamPort, certificate, directory, workers, routers, accessLog }) {
    const mapFile = join(directory, 'hosts.map');
    const command = findProgram('haproxy') ?? 'haproxy';
    const render = (reloads: number): string => {
      writeFileSync(mapFile, `${forHosts(routers, (host) => `${host} backend`)}\ngeneration-${reloads} backend\n`);
      return renderTemplate(TEMPLATE, directory, {
        tls,
        plain: !tls,
        port,
        upstreamPort,
        workers,
        bothFile: certificate.bothFile,
        mapFile,
        many: routers > 0,
        logging: accessLog !== null,
      });
    };
    const file = render(0);
    // Its log goes to standard output, as in a container; the shell sends that to the file. `-W`: a master that reloads.
    const args = ['-W', '-db', '-f', file];
    return {
      ...(accessLog === null
        ? { command, args }
        : { command: 'sh', args: ['-c', 'exec "$0" "$@" >"$LOG"', command, ...args], env: { LOG: accessLog } }),
      reload: (running, n) => {
        render(n);
        process.kill(running.pid, 'SIGUSR2');
      },
    };
  },
};
