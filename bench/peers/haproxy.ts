import { join } from 'node:path';
import { findProgram, runToEnd } from '../processes.ts';
import { renderTemplate } from '../template.ts';
import type { Peer } from './peer.ts';

const TEMPLATE = join(import.meta.dirname, 'config/haproxy.cfg');

/** HAProxy, one thread, upstream connections reused. */
export const haproxy: Peer = {
  name: 'haproxy',
  warmsUp: false,
  missing: () => (findProgram('haproxy') === null ? 'haproxy is not installed (Debian: apt install haproxy)' : null),
  version: () => /version (\d[\d.]*\d)/.exec(runToEnd(findProgram('haproxy') ?? 'haproxy', ['-v']))?.[1] ?? 'unknown',
  prepare({ tls, port, upstreamPort, certificate, directory }) {
    const bothFile = certificate.bothFile;
    const file = renderTemplate(TEMPLATE, directory, { tls, plain: !tls, port, upstreamPort, bothFile });
    return { command: findProgram('haproxy') ?? 'haproxy', args: ['-db', '-f', file] };
  },
};
