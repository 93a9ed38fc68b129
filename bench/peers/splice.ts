import { join } from 'node:path';
import type { Peer } from './peer.ts';

/** A plain TCP splice on Node streams: the floor for any proxy that is built on them. */
export const splice: Peer = {
  name: 'splice',
  warmsUp: true,
  // Nothing of these changes what it does: it is the floor of such scenarios all the same. Idle, it has two connections each.
  lacks: ['idle'],
  missing: () => null,
  version: () => `node ${process.version}`,
  prepare({ tls, port, upstreamPort, certificate, workers }) {
    const files = tls ? [certificate.certFile, certificate.keyFile] : [];
    const script = join(import.meta.dirname, 'splice-server.ts');
    return { command: process.execPath, args: [script, String(port), String(upstreamPort), String(workers), ...files] };
  },
};
