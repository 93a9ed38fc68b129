import { aborted, answered, bad, chunked, head, ok, POISON, passed, type ResponseCase } from '../response-case.ts';

const BOTH = 'RFC 9112 §6.3 (3)';
const LENGTH = 'RFC 9112 §6.3 (5)';
const CODING = 'RFC 9112 §6.1';
const SIZE = 'RFC 9112 §7.1';
const SHORT = 'RFC 9112 §8';
const REUSE = 'RFC 9112 §9.2: CVE-2026-48931 and its kin';

const END = '0\r\n\r\n';
const abc = { status: 200, body: 'abc' };
const request = (method: string): string => `${method} /case HTTP/1.1\r\nHost: app.test\r\n\r\n`;
const length = (...values: readonly string[]): string =>
  `${head('HTTP/1.1 200 OK', ...values.map((value) => `Content-Length: ${value}`))}abc`;
const coding = (...values: readonly string[]): string =>
  head('HTTP/1.1 200 OK', ...values.map((value) => `Transfer-Encoding: ${value}`)) + `3\r\nabc\r\n${END}`;

/** Where the body of a response ends, and what stands behind it. */
export const FRAMING: readonly ResponseCase[] = [
  bad(
    'both framings',
    BOTH,
    `${head('HTTP/1.1 200 OK', 'Content-Length: 3', 'Transfer-Encoding: chunked')}3\r\nabc\r\n${END}`,
  ),
  bad(
    'both framings, the other order',
    BOTH,
    `${head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked', 'Content-Length: 3')}3\r\nabc\r\n${END}`,
  ),
  ...[
    ['a minus sign', '-3'],
    ['a plus sign', '+3'],
    ['hexadecimal', '0x3'],
    ['a decimal point', '3.0'],
    ['a space inside', '3 3'],
    ['letters', 'abc'],
    ['nothing', ''],
    ['a list of different values', '3, 4'],
    ['a list of equal values', '3, 3'],
    ['a NUL behind it', '3\0'],
    ['2^64', '18446744073709551616'],
    ['2^64 + 3', '18446744073709551619'],
    ['2^53 + 1', '9007199254740993'],
  ].map(([what, value]) => bad(`Content-Length: ${what}`, LENGTH, length(value!))),
  bad('Content-Length twice, different', LENGTH, length('3', '4')),
  bad('Content-Length twice, equal', LENGTH, length('3', '3')),
  bad(
    'Transfer-Encoding on HTTP/1.0',
    CODING,
    `${head('HTTP/1.0 200 OK', 'Transfer-Encoding: chunked')}3\r\nabc\r\n${END}`,
  ),
  bad('an unknown coding', CODING, coding('cow')),
  bad('identity', CODING, coding('identity')),
  bad('gzip, then chunked', CODING, coding('gzip, chunked')),
  bad('chunked, then gzip', CODING, coding('chunked, gzip')),
  bad('chunked twice', CODING, coding('chunked, chunked')),
  bad('chunked twice in two lines', CODING, coding('chunked', 'chunked')),
  bad('a coding that ends in chunked', CODING, coding('xchunked')),
  bad('the coding with a parameter', CODING, coding('chunked;a=b')),
  bad('the coding in quotes', CODING, coding('"chunked"')),
  bad('an empty coding', CODING, coding('')),
  bad('a vertical tab before the coding', CODING, coding('\x0bchunked')),
  bad(
    'Transfer-Encoding on 204',
    'RFC 9112 §6.1',
    `${head('HTTP/1.1 204 No Content', 'Transfer-Encoding: chunked')}${END}`,
  ),

  ...[
    ['letters', 'zz\r\nabc'],
    ['nothing', '\r\nabc'],
    ['a minus sign', '-3\r\nabc'],
    ['a plus sign', '+3\r\nabc'],
    ['0x', '0x3\r\nabc'],
    ['an underscore', '0_3\r\nabc'],
    ['a leading space', ' 3\r\nabc'],
    ['a trailing space', '3 \r\nabc'],
    ['2^64 + 3', '10000000000000003\r\nabc'],
    ['a bare LF behind it', '3\nabc'],
    ['a bare CR behind it', '3\rabc'],
    ['an extension without name', '3;\r\nabc'],
    ['a bare LF in an extension', '3;a\nb\r\nabc'],
    ['an extension without bound', `3;a=${'b'.repeat(200_000)}\r\nabc`],
  ].map(([what, chunk]) => aborted(`chunk size: ${what}`, SIZE, chunked(`${chunk}\r\n${END}`))),
  aborted('a bare LF behind a chunk', SIZE, chunked(`3\r\nabc\n${END}`)),
  aborted('nothing behind a chunk', SIZE, chunked(`3\r\nabc${END}`)),
  aborted('a chunk longer than its size', SIZE, chunked(`3\r\nabcd\r\n${END}`)),
  aborted('a bare LF as the end', SIZE, chunked('3\r\nabc\r\n0\r\n\n')),
  aborted('a trailer with a space before the colon', 'RFC 9112 §7.1.2', chunked('3\r\nabc\r\n0\r\nX-T : v\r\n\r\n')),
  aborted('a trailer with a bare LF', 'RFC 9112 §7.1.2', chunked('3\r\nabc\r\n0\r\nX-T: v\n\r\n')),
  aborted('a trailer with a NUL', 'RFC 9112 §7.1.2', chunked('3\r\nabc\r\n0\r\nX-T: \0\r\n\r\n')),
  aborted('a folded trailer', 'RFC 9112 §7.1.2', chunked('3\r\nabc\r\n0\r\nX-T: v\r\n w\r\n\r\n')),
  aborted(
    'trailers without bound',
    'RFC 9112 §7.1.2',
    chunked(`3\r\nabc\r\n0\r\n${'X-T: a value of some length\r\n'.repeat(100_000)}\r\n`),
  ),
  aborted('a second chunk that is bad, later', SIZE, [
    chunked('3\r\nabc\r\n'),
    { delayMs: 100 },
    `zz\r\nabc\r\n${END}`,
  ]),
  aborted('a length body cut by the end', SHORT, [`${head('HTTP/1.1 200 OK', 'Content-Length: 10')}abc`, 'END']),
  aborted('a length body cut by a reset', SHORT, [
    `${head('HTTP/1.1 200 OK', 'Content-Length: 10')}abc`,
    { delayMs: 50 },
    'RESET',
  ]),
  aborted('a length body cut before its first byte', SHORT, [
    head('HTTP/1.1 200 OK', 'Content-Length: 10'),
    { delayMs: 50 },
    'END',
  ]),
  aborted('a chunked body cut inside a chunk', SHORT, [chunked('5\r\nabc'), 'END']),
  aborted('a chunked body cut between chunks', SHORT, [chunked('3\r\nabc\r\n'), 'END']),
  aborted('a chunked body cut inside the last size', SHORT, [chunked('3\r\nabc\r\n0'), 'END']),
  aborted('a chunked body cut before the last CRLF', SHORT, [chunked('3\r\nabc\r\n0\r\n'), 'END']),
  aborted('a chunked body cut by a reset', SHORT, [chunked('3\r\nabc\r\n'), { delayMs: 50 }, 'RESET']),
  aborted('a body without length cut by a reset', SHORT, [`${head('HTTP/1.1 200 OK')}abc`, { delayMs: 50 }, 'RESET']),

  answered('a second response behind the first', REUSE, ok() + POISON, abc),
  answered('a second response a little later', REUSE, [ok(), { delayMs: 30 }, POISON], abc),
  answered('a byte behind a length body', REUSE, `${ok()}x`, abc),
  answered('CRLF behind a length body', REUSE, `${ok()}\r\n`, abc),
  answered('bytes behind the last chunk', REUSE, `${chunked(`3\r\nabc\r\n${END}`)}x`, abc),
  answered('a response behind the last chunk', REUSE, chunked(`3\r\nabc\r\n${END}`) + POISON, abc),
  answered('a body on 204', 'RFC 9112 §6.3 (1)', `${head('HTTP/1.1 204 No Content')}abc`, { status: 204, body: '' }),
  answered('a response as the body of 204', 'RFC 9112 §6.3 (1)', head('HTTP/1.1 204 No Content') + POISON, {
    status: 204,
    body: '',
  }),
  answered('a body on 304', 'RFC 9112 §6.3 (1)', `${head('HTTP/1.1 304 Not Modified', 'Content-Length: 3')}abc`, {
    status: 304,
    body: '',
  }),
  answered('a body on the answer to HEAD', 'RFC 9112 §6.3 (1)', ok(), { status: 200, body: '' }, request('HEAD')),
  answered('Content-Length: 0 with a body', REUSE, `${head('HTTP/1.1 200 OK', 'Content-Length: 0')}abc`, {
    status: 200,
    body: '',
  }),
  answered('Connection: close and a response behind it', 'RFC 9112 §9.6', ok('Connection: close') + POISON, abc),

  passed('chunks', SIZE, chunked(`1\r\na\r\n2\r\nbc\r\n${END}`), abc),
  passed('chunks with extensions', 'RFC 9112 §7.1.1', chunked(`3;a=b;c="d e"\r\nabc\r\n0;e\r\n\r\n`), abc),
  passed('trailers', 'RFC 9112 §7.1.2', chunked('3\r\nabc\r\n0\r\nX-T: v\r\n\r\n'), {
    ...abc,
    trailers: [['X-T', 'v']],
  }),
  passed('a coding in another case', 'RFC 9112 §7', coding('Chunked'), abc),
  passed('chunks, byte by byte', SIZE, [...chunked(`3\r\nabc\r\n${END}`)], abc),
  passed('a length body, byte by byte', SIZE, [...ok()], abc),
  passed('an empty body', LENGTH, head('HTTP/1.1 200 OK', 'Content-Length: 0'), { status: 200, body: '' }),
  passed('a body up to the end of the connection', 'RFC 9112 §6.3 (8)', [`${head('HTTP/1.1 200 OK')}abc`, 'END'], abc),
  passed(
    'HTTP/1.0 up to the end of the connection',
    'RFC 9112 §6.3 (8)',
    [`${head('HTTP/1.0 200 OK')}abc`, 'END'],
    abc,
  ),
  passed('HTTP/1.0 with a length', LENGTH, [`${head('HTTP/1.0 200 OK', 'Content-Length: 3')}abc`, 'END'], abc),
  passed('Connection: close with a length', 'RFC 9112 §9.6', [ok('Connection: close'), 'END'], abc),
  passed('204', 'RFC 9110 §15.3.5', head('HTTP/1.1 204 No Content'), { status: 204, body: '' }),
  passed('304 with a length', 'RFC 9110 §8.6', head('HTTP/1.1 304 Not Modified', 'Content-Length: 99', 'ETag: "a"'), {
    status: 304,
    body: '',
    headers: { etag: ['"a"'] },
  }),
  passed(
    'HEAD with a length',
    'RFC 9110 §9.3.2',
    head('HTTP/1.1 200 OK', 'Content-Length: 99'),
    { status: 200, headers: { 'content-length': ['99'] } },
    request('HEAD'),
  ),
  passed(
    'HEAD with chunked',
    'RFC 9112 §6.1',
    head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked'),
    { status: 200 },
    request('HEAD'),
  ),
  passed('HEAD with neither', 'RFC 9110 §9.3.2', head('HTTP/1.1 200 OK'), { status: 200 }, request('HEAD')),
];
