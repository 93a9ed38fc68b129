import { bad, head, ok, passed, type ResponseCase } from '../response-case.ts';

const NAME = 'RFC 9112 §5.1';
const TOKEN = 'RFC 9110 §5.6.2';
const VALUE = 'RFC 9110 §5.5';
const FOLD = 'RFC 9112 §5.2';
const LINES = 'RFC 9112 §2.2';
const abc = { status: 200, body: 'abc' };

/** Field lines of a response. */
export const FIELDS: readonly ResponseCase[] = [
  bad('a space before the colon', NAME, ok('X-A : b')),
  bad('a tab before the colon', NAME, ok('X-A\t: b')),
  bad('a space before the colon of Content-Length', NAME, `${head('HTTP/1.1 200 OK', 'Content-Length : 3')}abc`),
  bad('a space before the colon in a second piece, then silence', NAME, [
    'HTTP/1.1 200 OK\r\nX-A',
    { delayMs: 20 },
    ' : b\r\n',
  ]),
  bad('a bad line far behind in a long head in pieces, then silence', NAME, [
    `HTTP/1.1 200 OK\r\n${'X-A: bcdefghijklmnopqrstuvwxyz\r\n'.repeat(200)}`,
    { delayMs: 20 },
    'X A: b\r\n',
  ]),
  bad('a line without colon', NAME, ok('X-A')),
  bad('an empty name', TOKEN, ok(': b')),
  bad('a name with a space', TOKEN, ok('X A: b')),
  bad('a name with a parenthesis', TOKEN, ok('X(A: b')),
  bad('a name with a NUL', TOKEN, ok('X\0A: b')),
  bad('a name with a high byte', TOKEN, ok('X\xe4: b')),
  bad('a value with a NUL', VALUE, ok('X-A: b\0c')),
  bad('a value with a control character', VALUE, ok('X-A: b\x01c')),
  bad('a value with DEL', VALUE, ok('X-A: b\x7fc')),
  bad('a bare CR in a value', LINES, ok('X-A: b\rX-B: c')),
  bad('a bare LF behind a field', LINES, 'HTTP/1.1 200 OK\r\nX-A: b\nContent-Length: 3\r\n\r\nabc'),
  bad('a bare LF as the empty line', LINES, 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\nabc'),
  bad('bare LF all over', LINES, 'HTTP/1.1 200 OK\nContent-Length: 3\n\nabc'),
  bad('CR CR LF', LINES, 'HTTP/1.1 200 OK\r\nX-A: b\r\r\nContent-Length: 3\r\n\r\nabc'),
  bad('a folded value', FOLD, ok('X-A: b', ' c')),
  bad('a value folded with a tab', FOLD, ok('X-A: b', '\tc')),
  bad('whitespace before the first field', LINES, `${head('HTTP/1.1 200 OK', ' X-A: b', 'Content-Length: 3')}abc`),
  bad('a head without bound', 'hazards: bounded heads', head('HTTP/1.1 200 OK', `X-A: ${'b'.repeat(2 * 1024 * 1024)}`)),
  bad(
    'fields without bound',
    'hazards: bounded heads',
    head('HTTP/1.1 200 OK', ...new Array<string>(100_000).fill('X-A: a value of some length')),
  ),
  bad('half a head, then the end', 'RFC 9112 §8', ['HTTP/1.1 200 OK\r\nX-A: b\r\n', 'END']),
  bad('half a head, then a reset', 'RFC 9112 §8', ['HTTP/1.1 200 OK\r\nX-A: b\r\n', 'RESET']),

  passed('an empty value', VALUE, ok('X-A:'), { ...abc, headers: { 'x-a': [''] } }),
  passed('whitespace around a value', 'RFC 9112 §5', ok('X-A: \t b \t'), { ...abc, headers: { 'x-a': ['b'] } }),
  passed('high bytes in a value', VALUE, ok('X-A: \x80\xff'), { ...abc, headers: { 'x-a': ['\x80\xff'] } }),
  passed('names in lower case', 'RFC 9110 §5.1', `${head('HTTP/1.1 200 OK', 'content-length: 3', 'x-a: b')}abc`, {
    ...abc,
    headers: { 'x-a': ['b'] },
  }),
  passed(
    'cookies keep their number and order',
    'RFC 6265 §3',
    ok('Set-Cookie: a=1', 'X-A: b', 'Set-Cookie: b=2', 'set-cookie: a=3'),
    { ...abc, headers: { 'set-cookie': ['a=1', 'b=2', 'a=3'] } },
  ),
  passed(
    'hop-by-hop fields go no further',
    'RFC 9110 §7.6.1',
    ok('Connection: X-Drop', 'X-Drop: 1', 'Keep-Alive: timeout=5', 'X-Keep: 2'),
    {
      ...abc,
      headers: { 'x-drop': [], 'keep-alive': [], 'x-keep': ['2'] },
    },
  ),
  passed('nothing is added that names the proxy', 'traefik §5', ok(), { ...abc, headers: { server: [], via: [] } }),
  passed('the name of the upstream stays', 'traefik §5', ok('Server: upstream/1', 'Via: 1.1 other'), {
    ...abc,
    headers: { server: ['upstream/1'], via: ['1.1 other'] },
  }),
];
