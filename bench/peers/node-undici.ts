import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Peer } from './peer.ts';

/** node:http in front, undici's pool behind: a proxy written by hand on Node's own HTTP. */
export const nodeUndici: Peer = {
  name: 'node-undici',
  warmsUp: true,
  lacks: ['routers', 'workers', 'access-log', 'reload', 'websocket'],
  missing: () => null,
  version() {
    const file = join(import.meta.dirname, '../../node_modules/undici/package.json');
    return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
  },
  prepare({ tls, port, upstreamPort, certificate }) {
    const files = tls ? [certificate.certFile, certificate.keyFile] : [];
    const script = join(import.meta.dirname, 'node-undici-server.ts');
    return { command: process.execPath, args: [script, String(port), String(upstreamPort), ...files] };
  },
};
