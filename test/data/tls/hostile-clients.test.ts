import { once } from 'node:events';
import { connect as connectPlain, createServer, Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { connect, createSecureContext } from 'node:tls';
import { afterAll, describe, expect, it } from 'vitest';
import { tlsSnapshot, Workshop } from './certificates.ts';
import { ask, openssl, serverFixture, until } from './server.ts';

const shop = new Workshop();
const fallback = shop.make(['default.test']);
const a = shop.make(['a.test']);
const b = shop.make(['b.test', 'also-b.test'], undefined, 'rsa');
const all = [a, b];

const serve = serverFixture();
afterAll(() => shop.remove());

describe('hostile and broken clients', () => {
  async function raw(port: number): Promise<Socket> {
    const socket = connectPlain(port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  }

  /** The bytes of a real ClientHello. */
  async function recordedHello(servername: string): Promise<Buffer> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const client = connect({ port: address.port, host: '127.0.0.1', servername });
    client.on('error', () => {});
    const [socket] = (await once(server, 'connection')) as [Socket];
    const [bytes] = (await once(socket, 'data')) as [Buffer];
    client.destroy();
    server.close();
    return bytes;
  }

  it('lets go at once of a client that leaves between the hellos and its Finished', async () => {
    const { server, port } = await serve(tlsSnapshot(fallback, all));
    const client = await raw(port);
    client.write(await recordedHello('a.test'));
    await once(client, 'data');
    expect(server.terminator.pending).toBe(1);
    client.end();
    // Far from the time that a handshake may take.
    await until(() => server.terminator.failures.closed === 1);
    expect(server.terminator.pending).toBe(0);
  });

  it('takes a hello that arrives byte by byte', async () => {
    const { port } = await serve(tlsSnapshot(fallback, all));
    const outer = await raw(port);
    outer.setNoDelay(true);
    let first = true;
    const dribble = new Duplex({
      read() {},
      async write(chunk: Buffer, _encoding, callback) {
        if (!first) return void outer.write(chunk, callback);
        first = false;
        for (const byte of chunk) {
          outer.write(Buffer.from([byte]));
          await new Promise((resolve) => setImmediate(resolve));
        }
        callback();
      },
    });
    outer.on('data', (chunk) => dribble.push(chunk));
    outer.on('end', () => dribble.push(null));
    const socket = connect({ socket: dribble, servername: 'a.test', rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    expect(socket.getPeerX509Certificate()?.subject).toBe('CN=a.test');
    socket.write('GET /\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(JSON.parse(answer.toString())).toMatchObject({ sni: 'a.test' });
    socket.destroy();
    outer.destroy();
  });

  it('closes on garbage and on a hello cut short, and says why', async () => {
    const { server, port } = await serve(tlsSnapshot(fallback, all));
    const hello = await recordedHello('a.test');
    const inputs: [Buffer, string][] = [
      [Buffer.from('\x00\x01\x02garbage'), 'not-tls'],
      [Buffer.from('SSH-2.0-x\r\n'), 'not-tls'],
      [Buffer.from([22, 3, 1, 0, 0]), 'malformed-hello'],
      [Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0]), 'malformed-hello'],
      [Buffer.concat([hello.subarray(0, 60), Buffer.alloc(hello.length - 60, 0xff)]), 'malformed-hello'],
    ];
    for (const [bytes, reason] of inputs) {
      const socket = await raw(port);
      socket.resume();
      socket.write(bytes);
      await once(socket, 'close');
      expect(server.failures.pop()).toMatchObject({ reason });
    }
    const cut = await raw(port);
    cut.end(hello.subarray(0, 100));
    cut.resume();
    await once(cut, 'close');
    expect(server.failures.pop()).toMatchObject({ reason: 'closed' });
    // A whole hello, then nothing but the end.
    const quitter = await raw(port);
    quitter.end(hello);
    quitter.resume();
    await once(quitter, 'close');
    await until(() => server.failures.length === 1);
    expect(server.failures.pop()).toMatchObject({ reason: 'closed', sni: 'a.test' });
    expect(server.terminator.pending).toBe(0);
    expect(server.terminator.failures).toMatchObject({ 'not-tls': 2, 'malformed-hello': 3, closed: 2 });
  });

  it('answers plain HTTP with words, or hands the connection on untouched', async () => {
    const strict = await serve(tlsSnapshot(fallback, all));
    const socket = await raw(strict.port);
    socket.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 400 .*HTTPS/s);
    await once(socket, 'close');

    const mixed = await serve(tlsSnapshot(fallback, all), [], {
      plaintext: (plain) => {
        plain.on('data', (chunk) => plain.write(`got ${chunk}`));
      },
    });
    const client = await raw(mixed.port);
    client.write('GET');
    expect(String(((await once(client, 'data')) as [Buffer])[0])).toBe('got GET');
    client.write(' more');
    expect(String(((await once(client, 'data')) as [Buffer])[0])).toBe('got  more');
    client.destroy();
    expect((await ask(mixed.port, { servername: 'a.test' })).answer).toMatchObject({ sni: 'a.test' });
    expect(mixed.server.failures).toEqual([]);
    expect(mixed.server.terminator.pending).toBe(0);
  });

  it('gives up on a silent client and on one that stops in the middle', async () => {
    const { server, port } = await serve(tlsSnapshot(fallback, all), [], { handshakeTimeoutMs: 200 });
    const hello = await recordedHello('a.test');
    for (const bytes of [Buffer.alloc(0), hello.subarray(0, 50), hello]) {
      const socket = await raw(port);
      socket.resume();
      if (bytes.length > 0) socket.write(bytes);
      await once(socket, 'close');
      expect(server.failures.pop()).toMatchObject({ reason: 'timeout' });
    }
    expect(server.terminator.pending).toBe(0);
  });

  it('counts a client that does not trust us', async () => {
    const { server, port } = await serve(tlsSnapshot(fallback, all));
    for (const version of ['-tls1_2', '-tls1_3']) {
      const { answer } = await openssl(port, [version, '-servername', 'a.test', '-verify_return_error']);
      expect(answer).toBeNull();
    }
    await until(() => server.failures.length === 2);
    expect(server.failures).toMatchObject([{ reason: 'refused-by-client' }, { reason: 'refused-by-client' }]);
  });

  it('survives a corrupt record after the handshake', async () => {
    const { server, port } = await serve(tlsSnapshot(fallback, all));
    const outer = await raw(port);
    const socket = connect({ socket: outer, servername: 'a.test', rejectUnauthorized: false });
    socket.on('error', () => {});
    await once(socket, 'secureConnect');
    await until(() => server.infos.length === 1);
    outer.write(Buffer.concat([Buffer.from([23, 3, 3, 0, 32]), Buffer.alloc(32, 1)]));
    await once(outer, 'close');
    expect((await ask(port, { servername: 'a.test' })).answer).not.toBeNull();
  });

  it('holds no memory for 10,000 distinct names', async () => {
    const { server, port } = await serve(tlsSnapshot(fallback, all));
    const secureContext = createSecureContext({ ca: [] });
    const visit = (name: string) =>
      new Promise<void>((resolve) => {
        const socket = connect({ port, host: '127.0.0.1', servername: name, rejectUnauthorized: false, secureContext });
        socket.on('error', () => resolve());
        socket.once('secureConnect', () => {
          socket.destroy();
          resolve();
        });
      });
    // Real handshakes for some; the rest through the selection alone, which is where names could be kept.
    for (let i = 0; i < 200; i++) await visit(`n${i}.random${i * 7}.test`);
    const entryPoint = server.runtime.entryPoint('websecure');
    for (let i = 0; i < 10_000; i++) entryPoint.select(`m${i}.random.test`, () => undefined);
    expect(server.runtime.contexts.size).toBe(1);
  });

  it('lets no client renegotiate', async () => {
    const { server, port } = await serve(tlsSnapshot(fallback, all));
    const { output } = await openssl(port, ['-tls1_2', '-servername', 'a.test'], 'R\n');
    expect(output).toMatch(/RENEGOTIATING.*no renegotiation/s);
    expect(server.terminator.handshakes).toBe(1);
  });

  it('reports a connection that is gone before it starts', async () => {
    const { server } = await serve(tlsSnapshot(fallback, all));
    const socket = new Socket();
    socket.destroy();
    const reason = await new Promise((resolve) => server.terminator.accept(socket, (error) => resolve(error?.reason)));
    expect(reason).toBe('closed');
    expect(server.terminator.pending).toBe(0);
  });

  it('lets a fault of the proxy cost one connection', async () => {
    const { server, port } = await serve(tlsSnapshot(fallback, all), [], {
      now: () => {
        throw new Error('no clock');
      },
    });
    expect((await openssl(port, ['-servername', 'a.test'])).output).toMatch(/alert internal error/);
    expect(server.failures).toMatchObject([{ reason: 'internal', detail: 'no clock' }]);
  });
});
