import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeCa } from '../support/certs.ts';
import type { HttpUpstream } from '../support/http-upstreams.ts';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { RawClient, sendRaw } from '../support/raw-client.ts';
import { type RecordingUpstream, startRecordingUpstream } from '../support/recording-upstream.ts';
import { waitFor } from '../support/wait-for.ts';
import { openWebSocket, startWebSocketEcho } from '../support/websocket.ts';

let echo: HttpUpstream;
let secureEcho: HttpUpstream;
let raw: RecordingUpstream;
let proxy: ProxyProcess;

beforeAll(async () => {
  const certificate = makeCa().issue({ sans: ['ws.test'] });
  echo = await startWebSocketEcho();
  secureEcho = await startWebSocketEcho({ tls: certificate });
  raw = await startRecordingUpstream();
  proxy = await startProxy({
    static: { entryPoints: { web: {}, secure: { http: { tls: {} } } } },
    dynamic: {
      http: {
        routers: {
          plain: { rule: 'Host(`ws.test`)', service: 'echo', entryPoints: ['web'] },
          secure: { rule: 'Host(`ws.test`)', service: 'echo', entryPoints: ['secure'] },
          wss: { rule: 'Host(`wss.test`)', service: 'wss', entryPoints: ['web'] },
          raw: { rule: 'Host(`raw.test`)', service: 'raw', entryPoints: ['web'] },
          bound: { rule: 'Host(`bound.test`)', service: 'bound', entryPoints: ['web'], middlewares: ['added'] },
        },
        middlewares: { added: { headers: { customResponseHeaders: { 'X-Added': 'yes' } } } },
        services: {
          echo: { loadBalancer: { servers: [{ url: echo.url }] } },
          wss: { loadBalancer: { servers: [{ url: secureEcho.url }], serversTransport: 'any' } },
          raw: { loadBalancer: { servers: [{ url: raw.url }] } },
          bound: { weighted: { services: [{ name: 'sticky', weight: 1 }], sticky: { cookie: { name: 'outer' } } } },
          sticky: { loadBalancer: { servers: [{ url: raw.url }], sticky: { cookie: { name: 'inner' } } } },
        },
        serversTransports: { any: { insecureSkipVerify: true } },
      },
    },
  });
});

afterEach(() => raw.use({}));

afterAll(async () => {
  await proxy.stop();
  await Promise.all([echo.close(), secureEcho.close(), raw.close()]);
});

describe('websockets', () => {
  it.each([
    ['plain', 'web', 'ws.test', false],
    ['TLS from the client', 'secure', 'ws.test', true],
    ['TLS to the upstream', 'web', 'wss.test', false],
  ] as const)('echo: %s', async (_, entryPoint, host, tls) => {
    await using client = await openWebSocket({
      port: proxy.port(entryPoint),
      requestHost: host,
      ...(tls ? { tls: { servername: host } } : {}),
    });
    for (const text of ['one', 'x'.repeat(60_000), 'three']) {
      await client.send(text);
      expect((await client.receive()).payload.toString() === text).toBe(true);
    }
    await client.close();
  });
});

describe('any other protocol', () => {
  const REQUEST =
    'POST /exec/1/start HTTP/1.1\r\nHost: raw.test\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n';
  const SWITCH = 'HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nX-From: upstream\r\n\r\n';

  it('passes in both directions after 101, bytes behind either head included', async () => {
    raw.use({
      onBytes: (_, chunk) => (chunk.includes('Upgrade: tcp') ? [`${SWITCH}hello`] : [`<${chunk.toString('latin1')}>`]),
    });
    await using client = await RawClient.connect({ port: proxy.port('web') });
    await client.write(REQUEST);
    await client.waitUntil('the first words', (c) => c.received.toString().endsWith('hello'));
    expect(client.received.toString()).toMatch(/^HTTP\/1.1 101 [\s\S]*X-From: upstream/);
    await client.write('\x00\xff GET / HTTP/1.1');
    await client.waitUntil('the echo', (c) => c.received.toString('latin1').endsWith('<\x00\xff GET / HTTP/1.1>'));
  });

  it('is answered with what binds the client, and what middlewares add', async () => {
    raw.use({ onBytes: () => [SWITCH] });
    await using client = await RawClient.connect({ port: proxy.port('web') });
    await client.write(REQUEST.replace('raw.test', 'bound.test'));
    await client.waitUntil('the switch', (c) => c.received.includes('\r\n\r\n'));
    const head = client.received.toString();
    expect(head).toMatch(/^HTTP\/1.1 101 /);
    for (const field of [
      /^Set-Cookie: inner=\w{16};/m,
      /^Set-Cookie: outer=\w{16};/m,
      /^X-Added: yes/m,
      /^X-From: /m,
    ]) {
      expect(head).toMatch(field);
    }
    expect(head.match(/^Upgrade:/gim)).toHaveLength(1);
  });

  it('may be one of several that were offered', async () => {
    raw.use({
      onBytes: (_, chunk) =>
        chunk.includes('Upgrade: ') ? [SWITCH.replace('Upgrade: tcp', 'Upgrade: IRC/6.9')] : [chunk],
    });
    await using client = await RawClient.connect({ port: proxy.port('web') });
    await client.write(REQUEST.replace('Upgrade: tcp', 'Upgrade: SHTTP/1.3, IRC/6.9, RTA/x11'));
    await client.waitUntil('the switch', (c) => c.received.includes('\r\n\r\n'));
    expect(client.received.toString()).toMatch(/^HTTP\/1.1 101 [\s\S]*^Upgrade: IRC\/6.9\r$/m);
    await client.write('NICK a');
    await client.waitUntil('the echo', (c) => c.received.toString('latin1').endsWith('NICK a'));
  });

  it('passes a half-close: the upstream still answers after the client has ended', async () => {
    raw.use({ onBytes: (_, chunk) => (chunk.includes('Upgrade: tcp') ? [SWITCH] : []) });
    await using client = await RawClient.connect({ port: proxy.port('web') });
    await client.write(REQUEST);
    await client.waitUntil('101', (c) => c.received.includes('101'));
    const connection = raw.connections.findLast((c) => c.received.includes('exec'))!;
    await client.write('question');
    await waitFor('the question', () => connection.received.includes('question'));
    let answered = false;
    connection.socket.removeAllListeners('end');
    connection.socket.on('end', () => {
      answered = true;
      connection.socket.end('answer after your end');
    });
    client.end();
    await waitFor('the end at the upstream', () => answered);
    await client.waitUntil('the answer', (c) => c.received.includes('answer after your end'));
    expect(await client.closes()).toBe(true);
    expect(client.closed).toBe('end');
  });

  it.each(['client', 'upstream'] as const)('closes the other side when one vanishes: the %s', async (side) => {
    raw.use({ onBytes: (_, chunk) => (chunk.includes('Upgrade: tcp') ? [SWITCH] : []) });
    await using client = await RawClient.connect({ port: proxy.port('web') });
    await client.write(REQUEST);
    await client.waitUntil('101', (c) => c.received.includes('101'));
    const connection = raw.connections.findLast((c) => c.received.includes('exec'))!;
    if (side === 'client') {
      client.reset();
      await waitFor('the upstream to be told', () => connection.closed !== 'no');
    } else {
      connection.socket.resetAndDestroy();
      expect(await client.closes()).toBe(true);
    }
  });

  it('does not forward what follows a request whose upgrade was refused', async () => {
    raw.use({ onRequest: () => ['HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nrefused'] });
    await using client = await RawClient.connect({ port: proxy.port('web') });
    await client.write(`${REQUEST}GET /smuggled HTTP/1.1\r\nHost: raw.test\r\n\r\n`);
    expect(await client.closes()).toBe(true);
    expect(client.split(['POST']).responses[0]?.body.toString()).toBe('refused');
    expect(raw.connections.some((c) => c.received.includes('smuggled'))).toBe(false);
  });

  it('refuses a switch to what was not asked for', async () => {
    raw.use({ onRequest: () => [SWITCH.replace('Upgrade: tcp', 'Upgrade: other')] });
    const { responses } = await sendRaw({ port: proxy.port('web'), chunks: [REQUEST] });
    expect(responses[0]?.status).toBe(502);
  });

  it('refuses a switch that nobody asked for', async () => {
    raw.use({ onRequest: () => [SWITCH] });
    const { responses } = await sendRaw({
      port: proxy.port('web'),
      chunks: ['GET / HTTP/1.1\r\nHost: raw.test\r\n\r\n'],
    });
    expect(responses[0]?.status).toBe(502);
  });

  it('is not h2c: the request goes on as an ordinary one', async () => {
    const { responses } = await sendRaw({
      port: proxy.port('web'),
      chunks: [
        'GET / HTTP/1.1\r\nHost: raw.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n',
      ],
    });
    expect(responses[0]?.status).toBe(200);
    const seen = raw
      .requests()
      .at(-1)!
      .headers.map(([name]) => name.toLowerCase());
    expect(seen).not.toContain('upgrade');
    expect(seen).not.toContain('http2-settings');
    expect(seen).not.toContain('connection');
  });
});
