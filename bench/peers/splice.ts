import { join } from 'node:path';
import type { Peer } from './peer.ts';

/** A plain TCP splice on Node streams: the floor for any proxy that is built on them. */
export const splice: Peer = {
  name: 'splice',
  warmsUp: true,
  missing: () => null,
  version: () => `node ${process.version}`,
  prepare({ tls, port, upstreamPort, certificate }) {
    const files = tls ? [certificate.certFile, certificate.keyFile] : [];
    const script = join(import.meta.dirname, 'splice-server.ts');
    return { command: process.execPath, args: [script, String(port), String(upstreamPort), ...files] };
  },
};
