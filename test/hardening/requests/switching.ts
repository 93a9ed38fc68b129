import {
  badBody,
  either,
  get,
  HOST,
  head,
  post,
  type RequestCase,
  refused,
  SMUGGLED,
  served,
} from '../request-case.ts';

const UPGRADE = 'RFC 9110 §7.8';
const H2C = 'h2c smuggling (Bishop Fox, 2020)';
const EXPECT = 'RFC 9110 §10.1.1';
const MUST_DIE = 'PortSwigger (2025): HTTP/1.1 must die, Expect';

const WEBSOCKET = ['Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='];
const SETTINGS = 'HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA';
const seen = { line: 'GET /case' };
const notSwitched = { ...seen, headers: { upgrade: null, 'http2-settings': null } };

/** Upgrade and Expect: where a connection changes its meaning half way. */
export const SWITCHING: readonly RequestCase[] = [
  ...[
    ['in upper case', 'H2C'],
    ['with a version', 'h2c/1.0'],
    ['h2', 'h2'],
    ['behind an empty member', ', h2c'],
    ['behind a websocket', 'websocket, h2c'],
    ['before a websocket', 'h2c, websocket'],
    ['with much white space', '\t h2c \t'],
  ].map(([what, value]) =>
    served(`h2c ${what}`, H2C, get('Connection: Upgrade, HTTP2-Settings', `Upgrade: ${value}`, SETTINGS), notSwitched),
  ),
  served(
    'h2c in a second Upgrade field',
    H2C,
    get('Connection: Upgrade, HTTP2-Settings', 'Upgrade: websocket', 'Upgrade: h2c', SETTINGS),
    notSwitched,
  ),
  served(
    'HTTP2-Settings that Connection does not name',
    H2C,
    get('Connection: Upgrade', 'Upgrade: h2c', SETTINGS),
    notSwitched,
  ),
  {
    name: 'h2c, and frames behind it',
    source: H2C,
    bytes: `${get('Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', SETTINGS)}PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`,
    expect: { outcome: 'served', statuses: [200], sees: [notSwitched], closes: true },
    whole: true,
  },
  ...[
    ['h2c', get('Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', SETTINGS)],
    ['h2c behind a websocket', get('Connection: Upgrade', 'Upgrade: websocket, h2c', SETTINGS)],
    [
      'a websocket by HEAD',
      head('HEAD /case HTTP/1.1', HOST, 'Connection: Upgrade', 'Upgrade: websocket', ...WEBSOCKET),
    ],
    ['a websocket with a length', `${get('Connection: Upgrade', 'Upgrade: websocket', 'Content-Length: 5')}abcde`],
  ].map(
    ([what, bytes]): RequestCase => ({
      name: `a request behind an Upgrade that the proxy itself ignores: ${what}`,
      source: H2C,
      bytes: `${bytes}${SMUGGLED}`,
      expect: { outcome: 'served', statuses: [200], sees: [{ headers: { upgrade: null } }], closes: true },
      whole: true,
    }),
  ),
  ...['websocket,', ', websocket', 'websocket/13', 'websocket, foo', 'foo, websocket', 'websocket ;x'].map((value) =>
    served(
      `a websocket is asked for by GET: "${value}"`,
      'RFC 6455 §4.1',
      post('Connection: Upgrade', `Upgrade: ${value}`),
      {
        line: 'POST /case',
        headers: { upgrade: null, connection: null },
      },
    ),
  ),
  ...['HTTP/2.0', 'HTTP/1.1', 'TLS/1.0', '"h2c"', 'h2c;x', 'foo h2c', 'foo;h2c', 'foo, http/1.1'].map((value) =>
    served(
      `an Upgrade that would hide requests, or cannot be read: "${value}"`,
      UPGRADE,
      get('Connection: Upgrade', `Upgrade: ${value}`),
      notSwitched,
    ),
  ),
  served(
    'a list of protocols',
    UPGRADE,
    get('Connection: Upgrade', 'Upgrade: SHTTP/1.3, IRC/6.9,', 'Upgrade: RTA/x11'),
    {
      ...seen,
      headers: { upgrade: 'shttp/1.3, irc/6.9, rta/x11' },
    },
  ),
  refused('the preface of HTTP/2', 'RFC 9113 §3.4', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [400, 505]),
  served(
    'an Upgrade of HTTP/1.0 is none',
    UPGRADE,
    head('GET /case HTTP/1.0', HOST, 'Connection: Upgrade', 'Upgrade: websocket'),
    {
      ...seen,
      headers: { upgrade: null },
    },
  ),
  served(
    'a websocket is asked for by GET',
    'RFC 6455 §4.1',
    post('Connection: Upgrade', 'Upgrade: websocket', ...WEBSOCKET),
    {
      line: 'POST /case',
      headers: { upgrade: null, connection: null },
    },
  ),
  served(
    'an Upgrade with a length is none',
    'CVE-2026-58055 (nghttpx)',
    get('Connection: Upgrade', 'Upgrade: websocket', ...WEBSOCKET, `Content-Length: ${SMUGGLED.length}`) + SMUGGLED,
    { ...seen, body: SMUGGLED, headers: { upgrade: null } },
  ),
  served(
    'an Upgrade with chunks is none',
    'CVE-2026-58055 (nghttpx)',
    get('Connection: Upgrade', 'Upgrade: websocket', ...WEBSOCKET, 'Transfer-Encoding: chunked') +
      `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`,
    { ...seen, body: SMUGGLED, headers: { upgrade: null } },
  ),
  refused(
    'an Upgrade with both framings',
    'RFC 9112 §6.3 (3)',
    get('Connection: Upgrade', 'Upgrade: websocket', 'Content-Length: 5', 'Transfer-Encoding: chunked') + '0\r\n\r\n',
  ),
  {
    name: 'a request behind an Upgrade that is declined, in its own right',
    source: 'CVE-2026-2833 (pingora): premature upgrade',
    bytes: get('Connection: Upgrade, keep-alive', 'Upgrade: foo/1', 'X-A: b') + SMUGGLED,
    expect: { outcome: 'served', statuses: [200], sees: [{ ...seen, headers: { upgrade: 'foo/1' } }], closes: true },
  },

  ...[
    ['in quotes', '"100-continue"'],
    ['with a parameter', '100-continue;a=b'],
    ['with another word', '100-continue x'],
    ['with an equals sign', '100-continue=1'],
    ['an almost', '100-continu'],
    ['a number alone', '100'],
    ['a no-break space before it', '\xa0100-continue'],
    ['a line of fields inside', '100-continue, content-length'],
  ].map(([what, value]) =>
    refused(`Expect: ${what}`, MUST_DIE, post(`Expect: ${value}`, 'Content-Length: 5') + 'abcde', 417),
  ),
  refused(
    'Expect with a control character',
    'RFC 9110 §5.5',
    post('Expect: 100-continue\x0b', 'Content-Length: 5') + 'abcde',
  ),
  refused('Expect, folded', 'RFC 9112 §5.2', post('Expect:', ' 100-continue', 'Content-Length: 5') + 'abcde'),
  either(
    'Expect twice',
    EXPECT,
    post('Expect: 100-continue', 'Expect: 100-continue', 'Content-Length: 5') + 'abcde',
    417,
    {
      body: 'abcde',
    },
  ),
  either('an empty Expect', EXPECT, post('Expect:', 'Content-Length: 5') + 'abcde', 417, { body: 'abcde' }),
  refused(
    'Expect and both framings',
    MUST_DIE,
    post('Expect: 100-continue', 'Content-Length: 5', 'Transfer-Encoding: chunked') + '0\r\n\r\n',
  ),
  badBody(
    'Expect, and a bad chunk at once',
    MUST_DIE,
    post('Expect: 100-continue', 'Transfer-Encoding: chunked') + 'zz\r\n',
  ),
  served(
    'Expect, and a body that looks like a request at once',
    MUST_DIE,
    post('Expect: 100-continue', `Content-Length: ${SMUGGLED.length}`) + SMUGGLED,
    { body: SMUGGLED },
  ),
  served('Expect with a length of 0 is about nothing', EXPECT, post('Expect: 100-continue', 'Content-Length: 0'), {
    body: '',
    headers: { expect: null },
  }),
  served(
    'Expect of HTTP/1.0 is ignored',
    EXPECT,
    head('POST /case HTTP/1.0', HOST, 'Expect: 100-continue', 'Content-Length: 5') + 'abcde',
    {
      body: 'abcde',
      headers: { expect: null },
    },
  ),
  served(
    'Expect with chunks at once',
    EXPECT,
    post('Expect: 100-continue', 'Transfer-Encoding: chunked') + '5\r\nabcde\r\n0\r\n\r\n',
    {
      body: 'abcde',
    },
  ),
  served(
    'Connection cannot take Expect away',
    'RFC 9110 §7.6.1',
    post('Connection: expect', 'Expect: 100-continue', 'Content-Length: 1') + 'a',
    {
      body: 'a',
    },
  ),
  served('Expect with GET and a body', EXPECT, get('Expect: 100-continue', 'Content-Length: 5') + 'abcde', {
    ...seen,
    body: 'abcde',
  }),
];
