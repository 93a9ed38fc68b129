import { either, get, HOST, head, post, type RequestCase, refused, SMUGGLED, served } from '../request-case.ts';

const HOP = 'RFC 9110 §7.6.1';
const seen = { line: 'GET /case' };

/** Odd and valid: these must be served, and what the upstream sees is part of the promise. */
export const ORDINARY: readonly RequestCase[] = [
  ...['HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'M-SEARCH', 'REPORT', 'QUERY'].map((method) =>
    served(`${method}`, 'RFC 9110 §9', head(`${method} /case HTTP/1.1`, HOST), { line: `${method} /case` }),
  ),
  served('OPTIONS * is not OPTIONS /', 'RFC 9112 §3.2.4', head('OPTIONS * HTTP/1.1', HOST), { line: 'OPTIONS *' }),
  served(
    'three pipelined requests',
    'RFC 9112 §9.3.2',
    head('GET /a HTTP/1.1', HOST) + head('GET /b HTTP/1.1', HOST) + head('GET /c HTTP/1.1', HOST),
    { line: 'GET /a' },
    { line: 'GET /b' },
    { line: 'GET /c' },
  ),
  served(
    'pipelined bodies of both kinds',
    'RFC 9112 §9.3.2',
    `${post('Content-Length: 3')}abc${post('Transfer-Encoding: chunked')}3\r\ndef\r\n0\r\n\r\n${get()}`,
    { body: 'abc' },
    { body: 'def' },
    seen,
  ),
  served(
    'an empty line between two requests',
    'RFC 9112 §2.2',
    `${post('Content-Length: 3')}abc\r\n${get()}`,
    { body: 'abc' },
    seen,
  ),
  {
    name: 'Connection: close ends the connection, and what follows is not read',
    source: 'RFC 9112 §9.6',
    bytes: get('Connection: close') + SMUGGLED,
    expect: { outcome: 'served', statuses: [200], sees: [seen], closes: true },
  },
  {
    name: 'HTTP/1.0 ends the connection',
    source: 'RFC 9112 §9.3',
    bytes: head('GET /case HTTP/1.0', HOST) + SMUGGLED,
    expect: { outcome: 'served', statuses: [200], sees: [seen], closes: true },
  },
  {
    name: 'close wins over keep-alive',
    source: 'RFC 9112 §9.3',
    bytes: get('Connection: keep-alive, close') + SMUGGLED,
    expect: { outcome: 'served', statuses: [200], sees: [seen], closes: true },
  },
  served(
    'HTTP/1.0 with keep-alive goes on',
    'RFC 9112 appendix C.2.2',
    head('GET /case HTTP/1.0', HOST, 'Connection: keep-alive') + head('GET /case HTTP/1.0', HOST),
    seen,
    seen,
  ),
  {
    name: 'a bad request behind a good one',
    source: 'RFC 9112 §9.3.2',
    bytes: `${get()}GET /bad request HTTP/1.1\r\n${HOST}\r\n\r\n${SMUGGLED}`,
    expect: { outcome: 'served', statuses: [200, 400], sees: [seen], closes: true },
  },
  {
    name: 'bytes that are no request behind a good one',
    source: 'RFC 9112 §9.3.2',
    bytes: `${post('Content-Length: 3')}abcde\r\n\r\n${SMUGGLED}`,
    expect: { outcome: 'served', statuses: [200, 400], sees: [{ line: 'POST /case', body: 'abc' }], closes: true },
  },

  served(
    'fields named by Connection go no further',
    HOP,
    get('Connection: keep-alive, X-Drop', 'X-Drop: 1', 'X-Keep: 2'),
    { ...seen, headers: { 'x-drop': null, 'x-keep': '2' } },
  ),
  served(
    'Connection: close behind a no-break space is not close',
    'RFC 9110 §5.6.3',
    get('Connection: \xa0close') + get(),
    {},
    {},
  ),
  served('several Connection fields', HOP, get('Connection: X-One', 'connection: x-two', 'X-One: 1', 'X-Two: 2'), {
    ...seen,
    headers: { 'x-one': null, 'x-two': null },
  }),
  served(
    'Connection cannot take away what the proxy adds',
    'CVE-2022-31813',
    get('Connection: x-forwarded-for, x-real-ip, x-forwarded-host, x-forwarded-proto'),
    {
      ...seen,
      headers: {
        'x-forwarded-for': /127\.0\.0\.1/,
        'x-real-ip': /127\.0\.0\.1/,
        'x-forwarded-host': 'app.test',
        'x-forwarded-proto': /^https?$/,
      },
    },
  ),
  served('Connection cannot take Host away', HOP, get('Connection: host'), { ...seen, headers: { host: 'app.test' } }),
  served(
    'a client cannot forge where it comes from',
    'hazards: forwarded headers',
    get('X-Forwarded-For: 6.6.6.6', 'X_Forwarded_For: 6.6.6.6', 'X-Real-Ip: 6.6.6.6', 'X-Forwarded-Host: evil.test'),
    {
      ...seen,
      headers: {
        'x-forwarded-for': '127.0.0.1',
        x_forwarded_for: null,
        'x-real-ip': '127.0.0.1',
        'x-forwarded-host': 'app.test',
      },
    },
  ),
  served('hop-by-hop fields', HOP, get('Keep-Alive: timeout=5', 'Proxy-Connection: keep-alive', 'TE: gzip'), {
    ...seen,
    headers: { 'keep-alive': null, 'proxy-connection': null, te: null },
  }),
  served(
    'h2c is never offered to an upstream',
    'h2c smuggling (Bishop Fox, 2020)',
    get('Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA'),
    {
      ...seen,
      headers: { upgrade: null, 'http2-settings': null },
    },
  ),
  served(
    'h2c among other protocols',
    'h2c smuggling (Bishop Fox, 2020)',
    get('Connection: Upgrade, HTTP2-Settings', 'Upgrade: foo, h2c', 'HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA'),
    {
      ...seen,
      headers: { 'http2-settings': null, upgrade: null },
    },
  ),
  served('an Upgrade that Connection does not name', 'RFC 9110 §7.8', get('Upgrade: websocket'), {
    ...seen,
    headers: { upgrade: null },
  }),
  served('Connection: Upgrade without Upgrade', 'RFC 9110 §7.8', get('Connection: Upgrade'), seen),
  {
    name: 'bytes behind an Upgrade that is declined',
    source: 'CVE-2026-2833 (pingora): premature upgrade',
    bytes:
      get(
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      ) + SMUGGLED,
    expect: {
      outcome: 'served',
      statuses: [200],
      sees: [{ ...seen, headers: { upgrade: 'websocket' } }],
      closes: true,
    },
  },
  either(
    'an Upgrade with a body goes on as one request',
    'CVE-2026-58055 (nghttpx)',
    post('Connection: Upgrade', 'Upgrade: websocket', `Content-Length: ${SMUGGLED.length}`) + SMUGGLED,
    [400, 501],
    { line: 'POST /case', body: SMUGGLED },
  ),
  refused('an unknown expectation', 'RFC 9110 §10.1.1', post('Expect: 200-ok', 'Content-Length: 3') + 'abc', 417),
  refused(
    'an expectation with junk before it',
    'HTTP/1.1 must die (2025): Expect',
    post('Expect: y 100-continue', 'Content-Length: 3') + 'abc',
    [400, 417],
  ),
  refused(
    'an expectation among others',
    'HTTP/1.1 must die (2025): Expect',
    post('Expect: 100-continue, x', 'Content-Length: 3') + 'abc',
    [400, 417],
  ),
  served(
    'Expect: 100-continue with the body at once',
    'RFC 9110 §10.1.1',
    post('Expect: 100-continue', 'Content-Length: 3') + 'abc',
    { body: 'abc' },
  ),
  served('Expect in another case', 'RFC 9110 §10.1.1', post('Expect: 100-Continue', 'Content-Length: 3') + 'abc', {
    body: 'abc',
  }),
  served('Expect without a body', 'RFC 9110 §10.1.1', get('Expect: 100-continue'), seen),

  served('a query of odd characters', 'RFC 3986 §3.4', head("GET /case?a=b&c;d=/?:@!$'()*+,~-._%20 HTTP/1.1", HOST), {
    line: "GET /case?a=b&c;d=/?:@!$'()*+,~-._%20",
  }),
  served('an empty query', 'RFC 3986 §3.4', head('GET /case? HTTP/1.1', HOST), {}),
  served('an encoded slash', 'RFC 3986 §2.2', head('GET /a%2Fb HTTP/1.1', HOST), { line: 'GET /a%2Fb' }),
  served('an encoded space', 'RFC 3986 §2.1', head('GET /a%20b HTTP/1.1', HOST), { line: 'GET /a%20b' }),
  served('UTF-8, encoded', 'RFC 3986 §2.5', head('GET /caf%C3%A9 HTTP/1.1', HOST), { line: 'GET /caf%C3%A9' }),
  served('colons and at signs in a path', 'RFC 3986 §3.3', head("GET /a:b@c;d=e,f!$&'()*+ HTTP/1.1", HOST), {
    line: "GET /a:b@c;d=e,f!$&'()*+",
  }),
  served('a URL within a path', 'RFC 3986 §3.3', head('GET /proxy?to=http://b.test/c HTTP/1.1', HOST), {
    line: 'GET /proxy?to=http://b.test/c',
  }),
];
