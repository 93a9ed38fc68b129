import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { accepts, type Child, startChild, waitUntilAccepting } from './child.ts';
import { startBigBodyServer, startEchoServer, startSseServer } from './http-upstreams.ts';
import { freePort } from './ports.ts';
import { RawClient, sendRaw } from './raw-client.ts';
import { startRecordingUpstream } from './recording-upstream.ts';
import { takeRequest } from './request-framing.ts';
import { tempDir } from './temp.ts';
import { waitFor } from './wait-for.ts';
import { openWebSocket, startWebSocketEcho } from './websocket.ts';

describe('waitFor', () => {
  it('returns the value that ended the wait', async () => {
    let looks = 0;
    expect(await waitFor('three looks', () => (++looks === 3 ? 'there' : undefined))).toBe('there');
  });

  it('names what it waited for, and what there is instead', async () => {
    const wait = waitFor('the sun', () => false, { timeoutMs: 20, describe: () => 'rain' });
    await expect(wait).rejects.toThrow('timed out after 20 ms waiting for the sun; there is: rain');
  });
});

describe('tempDir', () => {
  it('is gone when disposed of', async () => {
    let path: string;
    {
      await using dir = await tempDir();
      path = dir.path;
      expect(existsSync(path)).toBe(true);
    }
    expect(existsSync(path)).toBe(false);
  });
});

describe('freePort', () => {
  it('never gives a port twice, and gives one that can be listened on', async () => {
    const ports = await Promise.all([freePort(), freePort(), freePort()]);
    expect(new Set(ports).size).toBe(3);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(ports[0], '127.0.0.1', resolve));
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('startChild', () => {
  let child: Child | undefined;
  afterEach(() => child?.stop());

  it('reports how a process ended, with its output', async () => {
    child = startChild('/bin/sh', ['-c', 'echo out; echo err >&2; exit 3']);
    expect(await child.exit).toEqual({ code: 3, signal: null });
    expect(child.output().split('\n').sort().join(' ').trim()).toBe('err out');
  });

  it('has all that a process said when it has ended, though nobody read meanwhile', async () => {
    for (let i = 0; i < 5; i++) {
      child = startChild('/bin/sh', ['-c', 'echo last words']);
      for (const until = performance.now() + 100; performance.now() < until; );
      await child.exit;
      expect(child.output()).toBe('last words\n');
      expect(child.leftBehind()).toBe(false);
    }
  });

  it('tells of processes that are left behind, and ends them', async () => {
    child = startChild('/bin/sh', ['-c', 'sleep 60 &']);
    await child.exit;
    expect(child.leftBehind()).toBe(true);
  });

  it('fails with the captured output when the process ends before it listens', async () => {
    child = startChild('/bin/sh', ['-c', 'echo no such option; exit 1']);
    await expect(waitUntilAccepting(child, '127.0.0.1', await freePort())).rejects.toThrow(
      /code 1.*[\s\S]*no such option/,
    );
  });

  it('does not outlive a test runner that is killed itself', async () => {
    const port = await freePort();
    const listen = `require('net').createServer().listen(${port}, '127.0.0.1')`;
    const script = `import { startChild } from ${JSON.stringify(new URL('./child.ts', import.meta.url).href)};
      startChild(process.execPath, ['-e', ${JSON.stringify(listen)}]);`;
    child = startChild(process.execPath, ['--input-type=module', '-e', script]);
    await waitUntilAccepting(child, '127.0.0.1', port);
    child.kill('SIGKILL');
    await waitFor('the grandchild to be gone', async () => !(await accepts('127.0.0.1', port)));
  });

  it('kills a process that ignores SIGTERM, and its children', async () => {
    const port = await freePort();
    const listen = `require('net').createServer().listen(${port}, '127.0.0.1')`;
    child = startChild('/bin/sh', [
      '-c',
      `trap '' TERM; "${process.execPath}" -e "${listen}" & while :; do sleep 1; done`,
    ]);
    await waitUntilAccepting(child, '127.0.0.1', port);
    expect(await child.stop(200)).toEqual({ code: null, signal: 'SIGKILL' });
    await waitFor('the port to be free', async () => !(await accepts('127.0.0.1', port)));
  });
});

describe('takeRequest', () => {
  it('reads what a lenient upstream would read', () => {
    const bytes = Buffer.from(
      'POST /a HTTP/1.1\nTransfer-Encoding: xchunked\n\n3\nabc\n0\n\nGET /smuggled HTTP/1.1\r\n\r\n',
    );
    const taken = takeRequest(bytes);
    expect(taken?.request).toMatchObject({ method: 'POST', target: '/a', framing: 'chunked' });
    expect(taken?.request.body.toString()).toBe('abc');
    expect(takeRequest(bytes.subarray(taken?.length))?.request.target).toBe('/smuggled');
  });

  it('waits for the whole of it', () => {
    const whole = 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n';
    for (let length = 0; length < whole.length; length++)
      expect(takeRequest(Buffer.from(whole.slice(0, length)))).toBeUndefined();
    expect(takeRequest(Buffer.from(whole))?.length).toBe(whole.length);
  });
});

describe('recording upstream and raw client', () => {
  it('records exact bytes and describes each of several pipelined requests', async () => {
    await using upstream = await startRecordingUpstream();
    const chunks = ['GET /a HTTP/1.1\r\nHost: x\r\n\r\nPOST /b HT', 'TP/1.1\r\nContent-Length: 2\r\n\r\nhi'];
    const { responses } = await sendRaw({ port: upstream.port, chunks, responses: 2 });
    expect(responses.map((r) => JSON.parse(r.body.toString()))).toMatchObject([
      { target: '/a' },
      { target: '/b', body: 'hi' },
    ]);
    expect(upstream.connections[0]?.received.toString('latin1')).toBe(chunks.join(''));
    await waitFor('the close to be seen', () => upstream.connections[0]?.closed !== 'no');
  });

  it('plays a script: bytes, a delay, a reset', async () => {
    await using upstream = await startRecordingUpstream({
      onConnect: () => ['one', { delayMs: 20 }, 'two', { delayMs: 20 }, 'RESET'],
    });
    await using client = await RawClient.connect({ port: upstream.port });
    await client.waitUntil('both pieces', (c) => c.received.toString() === 'onetwo');
    expect(await client.closes()).toBe(true);
    expect(client.closed).toBe('reset');
  });

  it('sends byte by byte and stops when it is answered', async () => {
    await using upstream = await startRecordingUpstream({
      onBytes: (c) => (c.received.length >= 5 ? ['enough', 'END'] : undefined),
    });
    await using client = await RawClient.connect({ port: upstream.port });
    await client.writeInPieces('0123456789'.repeat(1000));
    await client.waitUntil('the answer', (c) => c.received.toString() === 'enough');
    expect(upstream.connections[0]!.received.length).toBeLessThan(10_000);
  });
});

describe('ordinary upstreams', () => {
  it('echo what they saw', async () => {
    await using upstream = await startEchoServer('one');
    const { responses } = await sendRaw({
      port: upstream.port,
      chunks: ['POST /p?q HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc'],
    });
    expect(JSON.parse(responses[0]!.body.toString())).toMatchObject({
      server: 'one',
      method: 'POST',
      url: '/p?q',
      bodyLength: 3,
    });
    expect(upstream.requests).toBe(1);
  });

  it('stream events on demand', async () => {
    await using upstream = await startSseServer();
    await using client = await RawClient.connect({ port: upstream.port });
    await client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await client.waitUntil('the first event', (c) => c.received.includes('data: event 0\n\n'));
    upstream.next();
    await client.waitUntil('the second event', (c) => c.received.includes('data: event 1\n\n'));
    upstream.finish();
    const { responses } = await client.waitForResponses(1);
    expect(responses[0]?.body.toString()).toBe('data: event 0\n\ndata: event 1\n\n');
  });

  it('echo websocket frames and answer the closing handshake', async () => {
    await using upstream = await startWebSocketEcho();
    await using socket = await openWebSocket({ port: upstream.port, requestHost: 'x' });
    await socket.send('hello');
    expect((await socket.receive()).payload.toString()).toBe('hello');
    await socket.close();
  });

  it('send big bodies of any length', async () => {
    await using upstream = await startBigBodyServer();
    const { responses } = await sendRaw({
      port: upstream.port,
      chunks: ['GET /?bytes=300000 HTTP/1.1\r\nHost: x\r\n\r\n'],
    });
    const body = responses[0]!.body;
    expect(body.length).toBe(300_000);
    expect(body.every((byte, index) => byte === index % 251)).toBe(true);
  });
});
