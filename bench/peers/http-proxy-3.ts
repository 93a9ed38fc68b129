import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Peer } from './peer.ts';

/** http-proxy-3: what a Node project would reach for without writing a proxy. */
export const httpProxy3: Peer = {
  name: 'http-proxy-3',
  warmsUp: true,
  lacks: ['routers', 'workers', 'access-log', 'reload'],
  missing: () => null,
  version() {
    const file = join(import.meta.dirname, '../../node_modules/http-proxy-3/package.json');
    return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
  },
  prepare({ tls, port, upstreamPort, certificate }) {
    const files = tls ? [certificate.certFile, certificate.keyFile] : [];
    const script = join(import.meta.dirname, 'http-proxy-3-server.ts');
    return { command: process.execPath, args: [script, String(port), String(upstreamPort), ...files] };
  },
};
