import { aborted, answered, bad, chunked, head, ok, POISON, passed, type ResponseCase } from '../response-case.ts';

const CODING = 'RFC 9112 §6.1';
const SPLITTING = 'CWE-113: response splitting';
const abc = { status: 200, body: 'abc' };
const END = '0\r\n\r\n';
const coded = (...lines: readonly string[]): string => `${head('HTTP/1.1 200 OK', ...lines)}3\r\nabc\r\n${END}`;
const request = (method: string): string => `${method} /case HTTP/1.1\r\nHost: app.test\r\n\r\n`;

/** Framing that hides, responses that split, and odd ones that must pass. */
export const ODD: readonly ResponseCase[] = [
  ...[
    ['a space before its colon', 'Transfer-Encoding : chunked'],
    ['a fold before its value', 'Transfer-Encoding:\r\n chunked'],
    ['a bare LF before its value', 'Transfer-Encoding:\nchunked'],
    ['a NUL behind its value', 'Transfer-Encoding: chunked\0'],
    ['a CR in its name', 'Transfer-\rEncoding: chunked'],
    ['a vertical tab before its value', 'Transfer-Encoding: \x0bchunked'],
    ['a next-line before its value', 'Transfer-Encoding: \x85chunked'],
    ['a no-break space before its value', 'Transfer-Encoding: \xa0chunked'],
    ['identity behind it', 'Transfer-Encoding: chunked, identity'],
    ['another coding before it', 'Transfer-Encoding: cow, chunked'],
    ['a trailing comma', 'Transfer-Encoding: chunked,'],
    ['a leading comma', 'Transfer-Encoding: ,chunked'],
    ['braces', 'Transfer-Encoding: {chunked}'],
  ].map(([what, line]) => bad(`TE.TE of an upstream: ${what}`, CODING, coded(line!))),
  bad(
    'both framings, the length hidden in lower case',
    'RFC 9112 §6.3 (3)',
    coded('content-length: 3', 'Transfer-Encoding: chunked'),
  ),
  bad(
    'both framings, named by Connection',
    'RFC 9110 §7.6.1',
    coded('Connection: content-length', 'Content-Length: 3', 'Transfer-Encoding: chunked'),
  ),
  bad(
    'a length and a second one behind a CR',
    'RFC 9112 §2.2',
    head('HTTP/1.1 200 OK', 'Content-Length: 3\rContent-Length: 9') + 'abc',
  ),
  bad('a length of 16 digits', 'RFC 9110 §8.6', `${head('HTTP/1.1 200 OK', 'Content-Length: 0000000000000003')}abc`),
  bad(
    'a Location with a bare LF',
    SPLITTING,
    head('HTTP/1.1 302 Found', 'Location: /a\nSet-Cookie: a=b', 'Content-Length: 0'),
  ),
  bad(
    'a Location with a bare CR',
    SPLITTING,
    head('HTTP/1.1 302 Found', 'Location: /a\rSet-Cookie: a=b', 'Content-Length: 0'),
  ),
  bad('a Location with LF LF and a response', SPLITTING, head('HTTP/1.1 302 Found', `Location: /a\n\n${POISON}`)),
  bad('a cookie with a NUL', SPLITTING, ok('Set-Cookie: a=\0b')),
  bad('204 with a length', 'RFC 9110 §8.6', `${head('HTTP/1.1 204 No Content', 'Content-Length: 3')}abc`),
  bad('a status of 600', 'RFC 9110 §15', `${head('HTTP/1.1 600 Odd', 'Content-Length: 3')}abc`),
  bad('a status of 999', 'RFC 9110 §15', `${head('HTTP/1.1 999 Odd', 'Content-Length: 3')}abc`),
  bad('100 interim responses', 'RFC 9110 §15.2: a flood', head('HTTP/1.1 103 Early Hints').repeat(100) + ok()),
  bad(
    'an interim response that never ends',
    'hazards: bounded heads',
    `HTTP/1.1 103 Early Hints\r\nLink: ${'x'.repeat(1024 * 1024)}`,
  ),
  bad('half an interim response, then a reset', 'RFC 9112 §8', [
    'HTTP/1.1 103 Early Hints\r\nLi',
    { delayMs: 20 },
    'RESET',
  ]),
  aborted('a chunk size with a NUL', 'RFC 9112 §7.1', chunked(`3\0\r\nabc\r\n${END}`)),
  aborted('a chunk size of 2^53', 'RFC 9112 §7.1', chunked(`20000000000000\r\nabc\r\n${END}`)),
  aborted('a length behind the last chunk', 'RFC 9110 §6.5.1', chunked('3\r\nabc\r\n0\r\nContent-Length: 9\r\n\r\n')),
  aborted(
    'a coding behind the last chunk',
    'RFC 9110 §6.5.1',
    chunked('3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n'),
  ),
  aborted('a response in place of a chunk', 'RFC 9112 §7.1', chunked(`3\r\nabc\r\n${POISON}`)),
  aborted('a response in place of the trailers', 'RFC 9112 §7.1.2', chunked(`3\r\nabc\r\n0\r\n${POISON}`)),
  answered('a response behind 304', 'RFC 9112 §6.3 (1)', head('HTTP/1.1 304 Not Modified') + POISON, {
    status: 304,
    body: '',
  }),
  answered(
    'a response behind an answer to HEAD',
    'RFC 9112 §6.3 (1)',
    head('HTTP/1.1 200 OK', 'Content-Length: 3') + POISON,
    { status: 200, body: '' },
    request('HEAD'),
  ),
  answered(
    '408 behind the answer, before the close',
    'RFC 9112 §9.5',
    [`${ok()}${head('HTTP/1.1 408 Request Timeout', 'Content-Length: 0')}`, 'END'],
    abc,
  ),
  answered(
    'a chunked answer to HEAD with its chunks',
    'RFC 9112 §6.3 (1)',
    chunked(`3\r\nabc\r\n${END}`),
    { status: 200, body: '' },
    request('HEAD'),
  ),

  passed('205 with a length of 0', 'RFC 9110 §15.3.6', head('HTTP/1.1 205 Reset Content', 'Content-Length: 0'), {
    status: 205,
    body: '',
  }),
  passed(
    '204 with a length of 0 loses it',
    'RFC 9110 §8.6',
    head('HTTP/1.1 204 No Content', 'Content-Length: 0', 'ETag: "a"'),
    {
      status: 204,
      body: '',
      headers: { 'content-length': [], etag: ['"a"'] },
    },
  ),
  passed(
    '304 with odd fields',
    'RFC 9110 §15.4.5',
    head('HTTP/1.1 304 Not Modified', 'Transfer-Encoding: chunked', 'ETag: W/"\xe9"', 'Vary: *'),
    {
      status: 304,
      body: '',
      headers: { 'transfer-encoding': [], vary: ['*'] },
    },
  ),
  passed(
    'a length of leading zeros is a number',
    'RFC 9110 §8.6',
    `${head('HTTP/1.1 200 OK', 'Content-Length: 003')}abc`,
    abc,
  ),
  passed('300 fields', 'RFC 9110 §5.4', ok(...Array.from({ length: 300 }, (_, i) => `X-${i}: ${i}`)), {
    ...abc,
    headers: { 'x-299': ['299'] },
  }),
  passed('a cookie of 16 KiB', 'RFC 6265 §6.1', ok(`Set-Cookie: a=${'b'.repeat(16_384)}`), abc),
  passed('Upgrade in an ordinary answer goes no further', 'RFC 9110 §7.8', ok('Connection: Upgrade', 'Upgrade: h2c'), {
    ...abc,
    headers: { upgrade: [] },
  }),
  passed('Connection cannot take the length away', 'RFC 9110 §7.6.1', ok('Connection: content-length'), {
    ...abc,
    headers: { 'content-length': ['3'] },
  }),
  passed('Connection with empty members', 'RFC 9110 §5.6.1', ok('Connection: , keep-alive,,'), abc),
  passed('proxy authentication is for this hop', 'RFC 9110 §11.7.1', ok('Proxy-Authenticate: Basic'), {
    ...abc,
    headers: { 'proxy-authenticate': [] },
  }),
  passed(
    'a trailer announced and sent',
    'RFC 9110 §6.6.2',
    `${head('HTTP/1.1 200 OK', 'Trailer: X-T', 'Transfer-Encoding: chunked')}3\r\nabc\r\n0\r\nX-T: v\r\n\r\n`,
    {
      ...abc,
      trailers: [['X-T', 'v']],
    },
  ),
  passed(
    'a cookie behind the last chunk is dropped',
    'RFC 9110 §6.5.1',
    chunked('3\r\nabc\r\n0\r\nSet-Cookie: a=b\r\nX-T: v\r\n\r\n'),
    {
      ...abc,
      trailers: [['X-T', 'v']],
    },
  ),
  passed(
    'white space around ; and = of a chunk extension',
    'RFC 9110 §5.6.3: a recipient must parse BWS',
    chunked(`3 ; a = b\r\nabc\r\n0; c\r\n\r\n`),
    abc,
  ),
  passed('twenty early hints', 'RFC 8297 §2', head('HTTP/1.1 103 Early Hints', 'Link: </a>').repeat(20) + ok(), {
    ...abc,
    interim: new Array<number>(20).fill(103),
  }),
  passed('an interim response nobody knows', 'RFC 9110 §15.2', head('HTTP/1.1 199 Odd', 'X-A: b') + ok(), {
    ...abc,
    interim: [199],
  }),
  passed(
    'HTTP/1.0 with keep-alive and a length',
    'RFC 9112 appendix C.2.2',
    `${head('HTTP/1.0 200 OK', 'Connection: keep-alive', 'Content-Length: 3')}abc`,
    abc,
  ),
  passed('HTTP/1.0 early hints are none of HTTP/1.1', 'RFC 9110 §15.2', head('HTTP/1.1 103 Early Hints') + ok(), {
    ...abc,
    interim: [103],
  }),
  passed(
    'a redirect to encoded line ends stays encoded',
    SPLITTING,
    head('HTTP/1.1 302 Found', 'Location: /a%0d%0aSet-Cookie:%20a=b', 'Content-Length: 0'),
    {
      status: 302,
      headers: { location: ['/a%0d%0aSet-Cookie:%20a=b'], 'set-cookie': [] },
    },
  ),
  passed('a Content-Type of high bytes', 'RFC 9110 §5.5', ok('Content-Type: text/plain; name="\xe9\xe8"'), abc),
];
