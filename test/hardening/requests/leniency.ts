import { chunked, get, HOST, head, post, type RequestCase, refused, SMUGGLED, served } from '../request-case.ts';

const seen = { line: 'GET /case' };
const options = (...fields: readonly string[]): string => head('OPTIONS /case HTTP/1.1', HOST, ...fields);

/** Compliant, and of the kind that strict parsers break: all of it must be served. */
export const LENIENCY: readonly RequestCase[] = [
  served(
    'a list with empty members',
    'RFC 9110 §5.6.1',
    get('Connection: ,keep-alive, ,X-Drop,,', 'X-Drop: 1', 'Accept: ,text/html,,'),
    {
      ...seen,
      headers: { 'x-drop': null, accept: ',text/html,,' },
    },
  ),
  served('white space around a coding and a length', 'RFC 9112 §5', `${post('Content-Length: \t 5 \t')}abcde`, {
    body: 'abcde',
  }),
  served('a field name of 1,000 characters', 'RFC 9110 §5.1', get(`${'a'.repeat(1_000)}: b`), {
    headers: { ['a'.repeat(1_000)]: 'b' },
  }),
  served('300 fields', 'RFC 9110 §5.4', get(...Array.from({ length: 300 }, (_, i) => `X-${i}: ${i}`)), {
    headers: { 'x-299': '299' },
  }),
  served('a field that comes 100 times', 'RFC 9110 §5.3', get(...new Array<string>(100).fill('X-A: b')), seen),
  served('a cookie of 8 KiB', 'RFC 6265 §6.1', get(`Cookie: ${'a=b; '.repeat(1_600)}c=d`), seen),
  served(
    'quoted chunk extensions with escapes',
    'RFC 9112 §7.1.1',
    chunked('5;a="\\"\\\\;,\t ";b\r\nabcde\r\n0;z="0"\r\n\r\n'),
    { body: 'abcde' },
  ),
  served(
    'a chunk extension with a token of every character',
    'RFC 9110 §5.6.2',
    chunked("5;!#$%&'*+-.^_`|~09az=az\r\nabcde\r\n0\r\n\r\n"),
    { body: 'abcde' },
  ),
  served(
    'a trailer announced and sent',
    'RFC 9110 §6.6.2',
    `${post('Trailer: X-Sum', 'TE: trailers', 'Connection: TE', 'Transfer-Encoding: chunked')}1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n`,
    { body: 'a' },
  ),
  served(
    'one-byte chunks',
    'RFC 9112 §7.1',
    chunked(`${[...'abcdefghij'].map((c) => `1\r\n${c}\r\n`).join('')}0\r\n\r\n`),
    { body: 'abcdefghij' },
  ),
  served(
    'HTTP/1.0 with a length and keep-alive, then another',
    'RFC 9112 appendix C.2.2',
    `${head('POST /case HTTP/1.0', HOST, 'Connection: Keep-Alive', 'Content-Length: 3')}abc${get()}`,
    { body: 'abc' },
    seen,
  ),
  served(
    'an empty line before each of three requests',
    'RFC 9112 §2.2',
    `\r\n${get()}\r\n${get()}\r\n${get()}`,
    seen,
    seen,
    seen,
  ),
  served('twenty pipelined requests', 'RFC 9112 §9.3.2', get().repeat(20), ...new Array<typeof seen>(20).fill(seen)),
  served('a method of another registry', 'RFC 9110 §16.1', head('VERSION-CONTROL /case HTTP/1.1', HOST), {
    line: 'VERSION-CONTROL /case',
  }),
  served('TRACE', 'RFC 9110 §9.3.8', head('TRACE /case HTTP/1.1', HOST), { line: 'TRACE /case' }),
  served('a Range of many', 'RFC 9110 §14.2', get('Range: bytes=0-1,5-9,-1'), {
    headers: { range: 'bytes=0-1,5-9,-1' },
  }),
  served(
    'a Date of the past and an odd Via',
    'RFC 9110 §7.6.3',
    get('Date: Sun Nov  6 08:49:37 1994', 'Via: 1.0 fred, 1.1 p.example.net (Apache/1.1)'),
    {
      headers: { via: '1.0 fred, 1.1 p.example.net (Apache/1.1)' },
    },
  ),
  served(
    'an absolute target with a port, query and encoded path',
    'RFC 9112 §3.2.2',
    head('GET http://app.test:80/a%20b?c=http://d/ HTTP/1.1', 'Host: app.test:80'),
    {
      line: 'GET /a%20b?c=http://d/',
    },
  ),
  served(
    'an absolute target of OPTIONS for the server',
    'RFC 9112 §3.2.4',
    head('OPTIONS http://app.test HTTP/1.1', HOST),
    { line: 'OPTIONS *' },
  ),
  served(
    'an absolute target of OPTIONS for the root',
    'RFC 9112 §3.2.4',
    head('OPTIONS http://app.test/ HTTP/1.1', HOST),
    { line: 'OPTIONS /' },
  ),
  served('a Host of one letter', 'RFC 3986 §3.2.2', head('GET /case HTTP/1.1', 'Host: a'), seen),
  served(
    'a Host that is a full IPv6 address',
    'RFC 3986 §3.2.2',
    head('GET /case HTTP/1.1', 'Host: [2001:db8::ff00:42:8329]:8443'),
    seen,
  ),
  served(
    'a Host with an IPv4 address in an IPv6 one',
    'RFC 3986 §3.2.2',
    head('GET /case HTTP/1.1', 'Host: [::ffff:192.0.2.1]'),
    seen,
  ),
  served(
    'a path of reserved characters and empty segments',
    'RFC 3986 §3.3',
    head("GET /a;b=c,d/$e/(f)/!g'*+:@&= HTTP/1.1", HOST),
    {
      line: "GET /a;b=c,d/$e/(f)/!g'*+:@&=",
    },
  ),
  served('a query with question marks and slashes', 'RFC 3986 §3.4', head('GET /case?a?b/c?d HTTP/1.1', HOST), {
    line: 'GET /case?a?b/c?d',
  }),
  served('a length of 1 with a byte of 0', 'RFC 9112 §6.2', `${post('Content-Length: 1')}\0`, { body: '\0' }),
  served('a body of CR and LF alone', 'RFC 9112 §6.2', `${post('Content-Length: 4')}\r\n\r\n`, { body: '\r\n\r\n' }),
  served('proxy authentication is for this hop', 'RFC 9110 §11.7.2', get('Proxy-Authorization: Basic eA=='), {
    headers: { 'proxy-authorization': null },
  }),

  served('Max-Forwards counts down', 'RFC 9110 §7.6.2', options('Max-Forwards: 5'), {
    line: 'OPTIONS /case',
    headers: { 'max-forwards': '4' },
  }),
  served('Max-Forwards beyond all numbers', 'RFC 9110 §7.6.2', options('Max-Forwards: 99999999999999999999'), {
    line: 'OPTIONS /case',
    headers: { 'max-forwards': '999999' },
  }),
  served('Max-Forwards of GET means nothing', 'RFC 9110 §7.6.2', get('Max-Forwards: 0'), {
    ...seen,
    headers: { 'max-forwards': '0' },
  }),
  {
    name: 'Max-Forwards: 0 is answered here',
    source: 'RFC 9110 §7.6.2',
    bytes: options('Max-Forwards: 0'),
    expect: { outcome: 'served', statuses: [200], sees: [] },
  },
  {
    name: 'TRACE with Max-Forwards: 0 is not echoed',
    source: 'RFC 9110 §9.3.8',
    bytes: head('TRACE /case HTTP/1.1', HOST, 'Cookie: secret=1', 'Max-Forwards: 0'),
    expect: { outcome: 'served', statuses: [405], sees: [] },
  },
  {
    name: 'OPTIONS * of a host without a router is answered here',
    source: 'RFC 9110 §9.3.7',
    bytes: head('OPTIONS * HTTP/1.1', 'Host: elsewhere.test'),
    expect: { outcome: 'served', statuses: [200], sees: [] },
  },
  refused(
    'TRACE with a length',
    'RFC 9110 §9.3.8',
    head('TRACE /case HTTP/1.1', HOST, `Content-Length: ${SMUGGLED.length}`) + SMUGGLED,
  ),
  refused(
    'TRACE with chunks',
    'RFC 9110 §9.3.8',
    head('TRACE /case HTTP/1.1', HOST, 'Transfer-Encoding: chunked') + '0\r\n\r\n',
  ),
];
