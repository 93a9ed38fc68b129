import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCa } from '../support/certs.ts';
import { type Child, startChild, waitUntilAccepting } from '../support/child.ts';
import { nginxIsInstalled } from '../support/nginx.ts';
import { freePort } from '../support/ports.ts';
import { type TempDir, tempDir } from '../support/temp.ts';

const HOST = 'ollama.internal.thinkheads.ai';

/** The shipped file with loopback addresses, free ports and a certificate of this test in the place of the mesh's. */
async function onLoopback(dir: string, ports: { web: number; secure: number; proxy: number }): Promise<string> {
  const shipped = await readFile(new URL('../../config/lxc-101/phoenix.conf', import.meta.url), 'utf8');
  const { cert, key } = makeCa().issue({ sans: ['*.internal.thinkheads.ai'] });
  await writeFile(join(dir, 'internal.crt'), cert);
  await writeFile(join(dir, 'internal.key'), key);
  const conf = shipped
    .replaceAll(/^\s*listen \[::\]:.*$/gm, '')
    .replace('listen 80;', `listen 127.0.0.1:${ports.web};`)
    .replace('listen 443 ssl;', `listen 127.0.0.1:${ports.secure} ssl;`)
    .replace('10.0.0.12:80', `127.0.0.1:${ports.proxy}`)
    .replaceAll('/etc/nginx/ssl/', `${dir}/`);
  const main = join(dir, 'nginx.conf');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${name};`);
  await mkdir(join(dir, 'logs'));
  await writeFile(
    main,
    `daemon off; pid nginx.pid; error_log stderr warn;\nevents {}\nhttp { access_log off; ${temporary.join(' ')}\n${conf}\n}\n`,
  );
  return main;
}

describe.skipIf(!nginxIsInstalled)('config/lxc-101/phoenix.conf', () => {
  const seen: { readonly request: IncomingMessage; readonly socket: Socket }[] = [];
  // A connection that the upstream closes for want of requests says nothing of the gateway.
  const upstream = createServer({ keepAliveTimeout: 600_000 }, (incoming, response) => {
    seen.push({ request: incoming, socket: incoming.socket });
    response.end('from behind');
  });
  upstream.on('upgrade', (incoming, socket) => {
    socket.end(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${incoming.headers.upgrade}\r\n\r\n`,
    );
  });
  const ports = { web: 0, secure: 0, proxy: 0 };
  let dir: TempDir;
  let main = '';
  let nginx: Child;

  beforeAll(async () => {
    upstream.listen(0, '127.0.0.1');
    await once(upstream, 'listening');
    Object.assign(ports, {
      web: await freePort(),
      secure: await freePort(),
      proxy: (upstream.address() as AddressInfo).port,
    });
    dir = await tempDir('phoenix-gateway-');
    main = await onLoopback(dir.path, ports);
    const tested = startChild('/usr/sbin/nginx', ['-t', '-p', dir.path, '-c', main, '-e', 'stderr']);
    expect((await tested.exit).code, tested.output()).toBe(0);
    nginx = startChild('/usr/sbin/nginx', ['-p', dir.path, '-c', main, '-e', 'stderr']);
    await waitUntilAccepting(nginx, '127.0.0.1', ports.secure);
  });

  afterAll(async () => {
    await nginx?.stop();
    upstream.closeAllConnections();
    upstream.close();
    await dir?.remove();
  });

  const get = async (headers: Record<string, string> = {}): Promise<string> => {
    const sent = request({
      host: '127.0.0.1',
      port: ports.secure,
      servername: HOST,
      rejectUnauthorized: false,
      agent: new Agent(),
      headers: { Host: HOST, ...headers },
    });
    sent.end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    return text(response);
  };

  it('speaks HTTP/1.1 to the proxy and keeps its connection', async () => {
    expect([await get(), await get()]).toEqual(['from behind', 'from behind']);
    const [first, second] = seen.slice(-2);
    expect(first?.request.httpVersion).toBe('1.1');
    expect(first?.request.headers.connection).toBeUndefined();
    expect(second?.socket).toBe(first?.socket);
  });

  it('says who the client is, and drops what the client claims', async () => {
    await get({ 'X-Forwarded-For': '192.0.2.1', 'X-Real-IP': '192.0.2.1', 'X-Forwarded-Proto': 'gopher' });
    expect(seen.at(-1)?.request.headers).toMatchObject({
      host: HOST,
      'x-forwarded-for': '127.0.0.1',
      'x-real-ip': '127.0.0.1',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': HOST,
    });
  });

  it('passes Upgrade on', async () => {
    const sent = request({
      host: '127.0.0.1',
      port: ports.secure,
      servername: HOST,
      rejectUnauthorized: false,
      headers: { Host: HOST, Connection: 'Upgrade', Upgrade: 'websocket' },
    });
    sent.end();
    const [response, socket] = (await once(sent, 'upgrade')) as [IncomingMessage, Socket];
    socket.destroy();
    expect(response.headers.upgrade).toBe('websocket');
  });

  it('takes ACME challenges to the proxy over plain HTTP, and redirects the rest', async () => {
    const plain = (path: string): Promise<Response> =>
      fetch(`http://127.0.0.1:${ports.web}${path}`, { redirect: 'manual' });
    expect(await (await plain('/.well-known/acme-challenge/token')).text()).toBe('from behind');
    expect((await plain('/x?y')).status).toBe(308);
  });
});
