import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram, runToEnd } from '../processes.ts';
import { renderTemplate } from '../template.ts';
import type { Peer } from './peer.ts';

const TEMPLATE = join(import.meta.dirname, 'config/nginx.conf');

/** nginx, one worker, pooled upstream. */
export const nginx: Peer = {
  name: 'nginx',
  warmsUp: false,
  missing: () => (findProgram('nginx') === null ? 'nginx is not installed (Debian: apt install nginx-light)' : null),
  version: () => /nginx\/([\d.]+)/.exec(runToEnd(findProgram('nginx') ?? 'nginx', ['-v']))?.[1] ?? 'unknown',
  prepare({ tls, port, upstreamPort, certificate, directory }) {
    const file = renderTemplate(TEMPLATE, directory, {
      tls,
      plain: !tls,
      port,
      upstreamPort,
      certFile: certificate.certFile,
      keyFile: certificate.keyFile,
      // Without this line, workers of an nginx started by root change to a user who cannot enter the run's folder.
      root: process.getuid?.() === 0,
    });
    mkdirSync(join(directory, 'temp'), { recursive: true });
    return { command: findProgram('nginx') ?? 'nginx', args: ['-p', directory, '-e', 'stderr', '-c', file] };
  },
};
