import fc from 'fast-check';

const methods = fc.constantFrom('GET', 'POST', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH');
const targets = fc.constantFrom('/', '/a/b?c=d', '/%20', '//x', '*', 'http://a.test/x', '/a b', '/a#b', '', '/\x00');
const versions = fc.constantFrom(
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/1.2',
  'http/1.1',
  '',
);
const fields = fc.constantFrom(
  'Host: a.test',
  'X: y',
  'X:',
  'X:\ty ',
  'Connection: close',
  'Connection: keep-alive',
  'Content-Length: 3',
  'Content-Length: 0',
  'Content-Length: +3',
  'Content-Length: 3, 3',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding : chunked',
  'TE: trailers',
  'X: a\rb',
  'X: a\x00b',
  ' folded: x',
  'X y: z',
  ': z',
  'Host: b.test',
);
const ends = fc.constantFrom('\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r');
const bodies = fc.constantFrom(
  '',
  'abc',
  '3\r\nabc\r\n0\r\n\r\n',
  '3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\n',
  '3;\r\nabc\r\n0\r\n\r\n',
  '3\nabc\r\n0\r\n\r\n',
  '3\r\nabcd\r\n0\r\n\r\n',
  '0x3\r\nabc\r\n0\r\n\r\n',
  '003\r\nabc\r\n000\r\n\r\n',
);

const oddRequest = fc
  .tuple(methods, targets, versions, fc.array(fc.tuple(fields, ends), { maxLength: 5 }), ends, bodies)
  .map(
    ([method, target, version, lines, end, body]) =>
      `${method} ${target} ${version}${end}Host: a.test\r\n${lines.map(([field, lineEnd]) => field + lineEnd).join('')}\r\n${body}`,
  );

const goodRequest = fc.constantFrom(
  'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n',
  'POST /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc',
  'POST /c HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n',
  'PUT /t HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n1;n="q\\"x"\r\na\r\n0\r\nTrailer-Field: v\r\n\r\n',
  'GET /10 HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n',
  '\r\nGET /crlf HTTP/1.1\r\nHost: a.test\r\n\r\n',
);

/** Streams of requests: good ones, odd ones, and some with bytes changed at random. */
export const byteStreams: fc.Arbitrary<Buffer> = fc
  .tuple(
    fc.array(fc.oneof({ weight: 3, arbitrary: goodRequest }, { weight: 2, arbitrary: oddRequest }), {
      minLength: 1,
      maxLength: 4,
    }),
    fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 2 }),
    fc.boolean(),
  )
  .map(([requests, changes, mutate]) => {
    const bytes = Buffer.from(requests.join(''), 'latin1');
    if (mutate) for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte;
    return bytes;
  });

/** Cuts a buffer at the given places, in any order, as far as they are inside. */
export function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  const pieces: Buffer[] = [];
  let from = 0;
  for (const place of [...sorted, bytes.length]) {
    if (place > from) pieces.push(Buffer.from(bytes.subarray(from, place)));
    from = place;
  }
  return pieces;
}
