import { Duplex } from 'node:stream';
import { type ConnectionOptions, connect } from 'node:tls';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { CLIENT_HELLO_MAX_BYTES, parseClientHello } from '../../../src/core/tls/client-hello.ts';

/** What a real client sends first. */
function realHello(options: ConnectionOptions): Promise<Buffer> {
  return new Promise((resolve) => {
    const sink = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, callback) {
        resolve(chunk);
        callback();
      },
    });
    connect({ socket: sink, ...options }).on('error', () => {});
  });
}

/** A handshake message in records of the given sizes. */
function records(message: Buffer, sizes: readonly number[]): Buffer {
  const out: Buffer[] = [];
  for (let at = 0, i = 0; at < message.length; i++) {
    const piece = message.subarray(at, at + (sizes[i % sizes.length] ?? 1));
    out.push(Buffer.from([22, 3, 1, piece.length >> 8, piece.length & 0xff]), piece);
    at += piece.length;
  }
  return Buffer.concat(out);
}

function vector(lengthBytes: number, body: Buffer): Buffer {
  const head = Buffer.alloc(lengthBytes);
  head.writeUIntBE(body.length, 0, lengthBytes);
  return Buffer.concat([head, body]);
}

function extension(type: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type >> 8, type & 0xff]), vector(2, body)]);
}

function serverName(name: string | Buffer, type = 0): Buffer {
  return extension(0, vector(2, Buffer.concat([Buffer.from([type]), vector(2, Buffer.from(name))])));
}

/** A hello made by hand, in one record. */
function hello(...extensions: readonly Buffer[]): Buffer {
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32, 7),
    vector(1, Buffer.alloc(0)),
    vector(2, Buffer.from([0x13, 0x01])),
    vector(1, Buffer.from([0])),
    ...(extensions.length === 0 ? [] : [vector(2, Buffer.concat(extensions))]),
  ]);
  return records(Buffer.concat([Buffer.from([1]), vector(3, body)]), [16_384]);
}

let real: Buffer[] = [];
beforeAll(async () => {
  real = await Promise.all([
    realHello({ servername: 'Some.Host.test', ALPNProtocols: ['h2', 'http/1.1'] }),
    realHello({ servername: 'a.b', minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }),
    realHello({}),
  ]);
});

describe('a ClientHello', () => {
  it('of a real client gives name and protocols', () => {
    expect(real.map(parseClientHello)).toEqual([
      { state: 'ok', sni: 'some.host.test', alpn: ['h2', 'http/1.1'] },
      { state: 'ok', sni: 'a.b', alpn: [] },
      { state: 'ok', sni: null, alpn: [] },
    ]);
  });

  it('without extensions, as TLS 1.2 allows', () => {
    expect(parseClientHello(hello())).toEqual({ state: 'ok', sni: null, alpn: [] });
  });

  it.each([
    ['A.Test.', 'a.test'],
    ['xn--bcher-kva.test', 'xn--bcher-kva.test'],
    ['under_score.test', 'under_score.test'],
    ['10.0.0.1', '10.0.0.1'],
    ['::1', '::1'],
    ['2001:db8::1', '2001:db8::1'],
  ])('for %s names %s', (sent, name) => {
    expect(parseClientHello(hello(serverName(sent)))).toEqual({ state: 'ok', sni: name, alpn: [] });
  });

  it.each([
    ['an empty name', serverName('')],
    ['a lone dot', serverName('.')],
    ['two dots', serverName('a..b')],
    ['a NUL', serverName('a\0.b')],
    ['a space', serverName('a b')],
    ['a newline', serverName('a\nb')],
    ['a slash', serverName('a/b')],
    ['raw UTF-8', serverName('bücher.test')],
    ['a name too long', serverName('a'.repeat(254))],
    ['another type of name', serverName('a', 1)],
    ['two server_name extensions', Buffer.concat([serverName('a'), serverName('b')])],
    ['an empty protocol', extension(16, vector(2, vector(1, Buffer.alloc(0))))],
    ['an empty list of protocols', extension(16, vector(2, Buffer.alloc(0)))],
    ['an extension that is cut short', Buffer.from([0, 0, 0, 9, 1])],
  ])('with %s is malformed', (_what, bytes) => {
    expect(parseClientHello(hello(bytes)).state).toBe('malformed');
  });

  it('is not what plaintext and other protocols look like', () => {
    for (const text of ['GET / HTTP/1.1\r\n', 'PRI * HTTP/2.0', 'SSH-2.0', '\x80\x2e\x01', '\x16\x02', 'G']) {
      expect(parseClientHello(Buffer.from(text, 'latin1'))).toEqual({ state: 'not-tls' });
    }
    expect(parseClientHello(Buffer.alloc(0))).toEqual({ state: 'incomplete', need: 5 });
  });

  it('larger than the limit is refused before it has arrived', () => {
    const huge = Buffer.concat([Buffer.from([22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff]), Buffer.alloc(16_380)]);
    expect(parseClientHello(huge)).toMatchObject({ state: 'malformed', reason: expect.stringContaining('too large') });
    const drip = records(Buffer.concat([Buffer.from([1, 0, 0x7f, 0xf0]), Buffer.alloc(0x7ff0)]), [1]);
    expect(parseClientHello(drip.subarray(0, CLIENT_HELLO_MAX_BYTES)).state).toBe('malformed');
  });

  it('reads the same however it is cut into records', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 600 }), { minLength: 1, maxLength: 8 }), fc.nat(2), (sizes, i) => {
        const whole = real[i] ?? Buffer.alloc(0);
        const cut = records(whole.subarray(5), sizes);
        fc.pre(cut.length <= CLIENT_HELLO_MAX_BYTES);
        expect(parseClientHello(cut)).toEqual(parseClientHello(whole));
      }),
    );
  });

  it('is incomplete at each point before its end, and what it needs is never more than there is', () => {
    for (const whole of real) {
      for (let end = 0; end < whole.length; end++) {
        const result = parseClientHello(whole.subarray(0, end));
        expect(result.state).toBe('incomplete');
        if (result.state !== 'incomplete') return;
        expect(result.need).toBeGreaterThan(end);
        expect(result.need).toBeLessThanOrEqual(whole.length);
      }
      expect(parseClientHello(Buffer.concat([whole, Buffer.from('more')]))).toEqual(parseClientHello(whole));
    }
  });

  it('never throws and never waits for more than the limit, whatever comes', () => {
    const check = (bytes: Uint8Array) => {
      const result = parseClientHello(Buffer.from(bytes));
      if (result.state === 'incomplete') {
        expect(result.need).toBeGreaterThan(bytes.length);
        expect(result.need).toBeLessThanOrEqual(CLIENT_HELLO_MAX_BYTES);
      }
      if (result.state === 'ok' && result.sni !== null) expect(result.sni).toMatch(/^[a-z0-9_.:-]{1,253}$/);
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 2000 }), check));
    // Behind a plausible start, random bytes get further.
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (tail) =>
        check(records(Buffer.concat([Buffer.from([1, 0, 0, 200]), tail]), [300])),
      ),
    );
    fc.assert(
      fc.property(
        fc.nat(2),
        fc.array(fc.tuple(fc.nat(2000), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 12 }),
        (i, changes) => {
          const mutated = Buffer.from(real[i] ?? []);
          for (const [at, value] of changes) mutated[at % mutated.length] = value;
          check(mutated);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
