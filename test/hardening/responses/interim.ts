import { answered, bad, head, ok, passed, type ResponseCase } from '../response-case.ts';

const INTERIM = 'RFC 9110 §15.2';
const UPGRADE = 'RFC 9110 §7.8';
const abc = { status: 200, body: 'abc' };
const HINTS = head('HTTP/1.1 103 Early Hints', 'Link: </a.css>; rel=preload');
const upgrade = (protocol: string): string =>
  `GET /case HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`;
const get10 = 'GET /case HTTP/1.0\r\nHost: app.test\r\n\r\n';

/** Responses before the response, and switched protocols. */
export const INTERIMS: readonly ResponseCase[] = [
  bad('101 unasked', UPGRADE, head('HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket')),
  bad('101 unasked, without Upgrade', UPGRADE, head('HTTP/1.1 101 Switching Protocols')),
  bad('101 unasked, a response behind it', UPGRADE, head('HTTP/1.1 101 Switching Protocols') + ok()),
  bad(
    '101 to another protocol than asked for',
    UPGRADE,
    head('HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: other'),
    upgrade('websocket'),
  ),
  bad(
    '101 to h2c',
    'h2c smuggling (Bishop Fox, 2020)',
    head('HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: h2c'),
    upgrade('h2c'),
  ),
  bad(
    '101 whose Connection does not name Upgrade',
    UPGRADE,
    head('HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket'),
    upgrade('websocket'),
  ),
  bad(
    '101 of HTTP/1.0',
    'RFC 9110 §15.2',
    head('HTTP/1.0 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket'),
    upgrade('websocket'),
  ),
  bad('interim responses without end', INTERIM, [...new Array<string>(20).fill(HINTS.repeat(500)), 'END']),
  bad('100 without end', INTERIM, [...new Array<string>(20).fill(head('HTTP/1.1 100 Continue').repeat(500)), 'END']),
  bad('an interim response and the end', 'RFC 9112 §8', [HINTS, 'END']),
  bad('an interim response and a bad one', 'RFC 9112 §4', `${HINTS}HTTP/1.1 2x0 OK\r\n\r\n`),
  bad('an interim response and the beginning of a bad one, then silence', 'RFC 9112 §4', [
    `${HINTS}HTTP/1.1`,
    { delayMs: 20 },
    ' 2x0 OK\r\n',
  ]),
  bad('a malformed interim response', 'RFC 9112 §5.1', head('HTTP/1.1 103 Early Hints', 'Link : x') + ok()),
  bad('an interim response with a NUL', 'RFC 9110 §5.5', head('HTTP/1.1 103 Early Hints', 'Link: \0') + ok()),
  bad('an interim response with bare LF', 'RFC 9112 §2.2', `HTTP/1.1 103 Early Hints\nLink: x\n\n${ok()}`),
  bad('100 with a body by length', 'RFC 9110 §8.6', `${head('HTTP/1.1 100 Continue', 'Content-Length: 3')}abc${ok()}`),
  bad('103 with chunks', 'RFC 9112 §6.1', head('HTTP/1.1 103 Early Hints', 'Transfer-Encoding: chunked') + ok()),

  passed('103, then 200', 'RFC 8297 §2', HINTS + ok(), { ...abc, interim: [103] }),
  passed('103 twice, then 200 a little later', 'RFC 8297 §2', [HINTS + HINTS, { delayMs: 30 }, ok()], {
    ...abc,
    interim: [103, 103],
  }),
  passed(
    '103 with fields that are for this hop',
    'RFC 9110 §7.6.1',
    head('HTTP/1.1 103 Early Hints', 'Connection: X-Foo, close', 'X-Foo: 1', 'Keep-Alive: timeout=5', 'Link: </a>') +
      ok(),
    { ...abc, interim: [103], interimWithout: ['x-foo', 'connection', 'keep-alive'] },
  ),
  passed('102, then 200', INTERIM, head('HTTP/1.1 102 Processing') + ok(), { ...abc, interim: [102] }),
  passed('100 unasked goes on or is dropped, and the answer comes', INTERIM, head('HTTP/1.1 100 Continue') + ok(), abc),
  passed('a client of HTTP/1.0 gets no interim response', INTERIM, HINTS + ok(), { ...abc, interim: [] }, get10),
  passed(
    'a client of HTTP/1.0 gets no chunks',
    'RFC 9112 §6.1',
    `${head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}3\r\nabc\r\n0\r\n\r\n`,
    abc,
    get10,
  ),
  passed('an upgrade that is declined', UPGRADE, ok(), abc, upgrade('websocket')),
  answered(
    '426 in place of an upgrade, bytes behind it',
    UPGRADE,
    `${head('HTTP/1.1 426 Upgrade Required', 'Content-Length: 0')}\x81\x00`,
    { status: 426 },
    upgrade('websocket'),
  ),
];
