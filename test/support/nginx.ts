import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { startChild, stopAll, waitUntilAccepting } from './child.ts';
import { freePort } from './ports.ts';
import { tempDir } from './temp.ts';

const COMMAND = '/usr/sbin/nginx';

/** Whether the peer is installed. */
export const nginxIsInstalled = existsSync(COMMAND);

/** A peer with the same shape as the proxy, for validating the harness and for second opinions. */
export interface NginxProcess extends AsyncDisposable {
  readonly port: number;
  output(): string;
}

afterAll(stopAll);

/** Starts nginx in the foreground as a streaming reverse proxy for everything, towards one upstream. */
export async function startNginx(upstream: { readonly port: number }, headerTimeoutMs = 60_000): Promise<NginxProcess> {
  const temp = await tempDir('phoenix-test-nginx-');
  const port = await freePort();
  await mkdir(join(temp.path, 'logs'));
  await writeFile(join(temp.path, 'nginx.conf'), configuration(port, upstream.port, headerTimeoutMs));
  const child = startChild(COMMAND, ['-p', temp.path, '-c', join(temp.path, 'nginx.conf'), '-e', 'stderr']);
  await waitUntilAccepting(child, '127.0.0.1', port);
  return {
    port,
    output: child.output,
    [Symbol.asyncDispose]: async () => {
      await child.stop();
      await temp.remove();
    },
  };
}

function configuration(port: number, upstreamPort: number, headerTimeoutMs: number): string {
  return `
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  client_header_timeout ${headerTimeoutMs}ms;
  large_client_header_buffers 4 32k;
  upstream app { server 127.0.0.1:${upstreamPort} max_fails=0; keepalive 16; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_request_buffering off;
      proxy_buffering off;
      proxy_next_upstream off;
    }
  }
}
`;
}
