import {
  badBody,
  chunked,
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

const CODING = 'RFC 9112 §6.1';
const TE_TE = 'PortSwigger (2019): HTTP desync attacks, TE.TE';
const BROWSER = 'PortSwigger (2022): browser-powered desync';
const MUST_DIE = 'PortSwigger (2025): HTTP/1.1 must die';

const EMPTY = '0\r\n\r\n';
const SECOND = head('GET /second HTTP/1.1', HOST);
const second = { line: 'GET /second' };
const both = (line: string): string => post(line, 'Content-Length: 5') + EMPTY;

/** The families of desync research, as attacks: what one end takes for a body is a request to the other. */
export const DESYNC: readonly RequestCase[] = [
  // TE.TE: with a length beside it, so that who overlooks the coding finds another end.
  ...[
    ['a bare LF before its value', 'Transfer-Encoding:\nchunked'],
    ['a fold before its value', 'Transfer-Encoding:\r\n\tchunked'],
    ['a NUL in its name', 'Transfer\0-Encoding: chunked'],
    ['a NUL before its name', '\0Transfer-Encoding: chunked'],
    ['a NUL behind its name', 'Transfer-Encoding\0: chunked'],
    ['a NUL inside its value', 'Transfer-Encoding: chun\0ked'],
    ['a CR in its name', 'Transfer-\rEncoding: chunked'],
    ['a space in its name', 'Transfer Encoding: chunked'],
    ['a leading tab', '\tTransfer-Encoding: chunked'],
    ['a vertical tab behind its name', 'Transfer-Encoding\x0b: chunked'],
    ['a unit separator before its value', 'Transfer-Encoding: \x1fchunked'],
    ['a next-line before its value', 'Transfer-Encoding: \x85chunked'],
    ['DEL behind its value', 'Transfer-Encoding: chunked\x7f'],
    ['braces around its value', 'Transfer-Encoding: {chunked}'],
    ['an equals sign', 'Transfer-Encoding= chunked'],
    ['two colons', 'Transfer-Encoding:: chunked'],
    ['its name in its value', 'Transfer-Encoding: Transfer-Encoding: chunked'],
    ['a comma and another coding', 'Transfer-Encoding: chunked, cow'],
    ['another coding before it', 'Transfer-Encoding: cow, chunked'],
    ['identity on both sides', 'Transfer-Encoding: identity, chunked, identity'],
    ['a bare LF and a second one', 'Transfer-Encoding: cow\nTransfer-Encoding: chunked'],
  ].map(([what, line]) => refused(`TE.TE: ${what}`, TE_TE, both(line!))),
  ...[
    ['cow, then chunked', 'cow, chunked', 501],
    ['gzip and deflate, then chunked', 'gzip, deflate, chunked', 501],
    ['chunked, then cow', 'chunked, cow', 400],
    ['chunked, then identity, with a length nowhere', 'chunked, identity', 400],
    ['three times chunked', 'chunked, chunked, chunked', 400],
    ['a no-break space before it is another coding', '\xa0chunked', 400],
    ['a no-break space behind a comma', 'gzip,\xa0chunked', 400],
    ['an empty member in the middle', 'gzip,,chunked', 400],
  ].map(([what, value, status]) =>
    refused(`alone: ${what}`, CODING, post(`Transfer-Encoding: ${value}`) + EMPTY, status as number),
  ),
  served(
    'a field whose name is close to Transfer-Encoding frames nothing',
    CODING,
    post(
      'TransferEncoding: chunked',
      'Transfer.Encoding: chunked',
      'X-Transfer-Encoding: chunked',
      'Content-Length: 5',
    ) + 'abcde',
    { line: 'POST /case', body: 'abcde' },
  ),
  served(
    'what a backend could take for framing is not passed on',
    'CVE-2019-16276 and its kin: `_` for `-`',
    post('Content_Length: 99', 'Transfer_Encoding: chunked', 'content_length: 1', 'Content-Length: 5') + 'abcde',
    { body: 'abcde', headers: { content_length: null, transfer_encoding: null } },
  ),

  // CL.0 and 0.CL: a body the other end does not expect.
  ...['GET', 'HEAD', 'OPTIONS', 'DELETE', 'PUT', 'PATCH'].map((method) =>
    served(
      `CL.0: ${method} with a request as its body, and one behind it`,
      BROWSER,
      head(`${method} /case HTTP/1.1`, HOST, `Content-Length: ${SMUGGLED.length}`) + SMUGGLED + SECOND,
      { line: `${method} /case`, body: SMUGGLED },
      second,
    ),
  ),
  served(
    'a length of 0 and a request behind it are two requests',
    BROWSER,
    post('Content-Length: 0') + SECOND,
    { line: 'POST /case', body: '' },
    second,
  ),
  refused('0.CL: a space before the colon', MUST_DIE, get(`Content-Length : ${SMUGGLED.length}`) + SMUGGLED),
  refused('0.CL: a leading space', MUST_DIE, get('X-A: b', ` Content-Length: ${SMUGGLED.length}`) + SMUGGLED),
  refused('0.CL: a fold before the digits', MUST_DIE, get('Content-Length:', ` ${SMUGGLED.length}`) + SMUGGLED),
  refused('0.CL: a CR before the name', MUST_DIE, get(`X-A: b\rContent-Length: ${SMUGGLED.length}`) + SMUGGLED),
  refused('0.CL: a NUL in the name', MUST_DIE, get(`Content-\0Length: ${SMUGGLED.length}`) + SMUGGLED),
  refused(
    '0.CL: the double desync with a bad version',
    MUST_DIE,
    head('GET /con HTTP/1.x', HOST, `Content-Length: ${SMUGGLED.length}`) + SMUGGLED,
  ),
  served(
    '0.CL: a reserved name of Windows is a path like any other',
    MUST_DIE,
    head('GET /con HTTP/1.1', HOST, `Content-Length: ${SMUGGLED.length}`) + SMUGGLED,
    { line: 'GET /con', body: SMUGGLED },
  ),
  either(
    'a length on a request that asks to close, a request behind it',
    'RFC 9112 §9.6',
    post('Connection: close', 'Content-Length: 5') + 'abcde' + SMUGGLED,
    400,
    { line: 'POST /case', body: 'abcde' },
  ),

  // Pipelines.
  served(
    'a chunked request behind one with a length',
    'RFC 9112 §9.3.2',
    `${post('Content-Length: 5')}abcde${chunked('5\r\nfghij\r\n0\r\n\r\n')}${SECOND}`,
    { body: 'abcde' },
    { body: 'fghij' },
    second,
  ),
  {
    name: 'a request with both framings behind a good one',
    source: 'RFC 9112 §6.3 (3)',
    bytes: SECOND + post('Content-Length: 5', 'Transfer-Encoding: chunked') + EMPTY + SMUGGLED,
    expect: { outcome: 'served', statuses: [200, 400], sees: [second], closes: true },
  },
  {
    name: 'a line end too many behind a body, twice',
    source: 'RFC 9112 §2.2',
    bytes: `${post('Content-Length: 3')}abc\r\n\r\n${SMUGGLED}`,
    expect: { outcome: 'served', statuses: [200, 400], sees: [{ body: 'abc' }], closes: true },
  },
  {
    name: 'half a request behind a good one, and the end',
    source: 'RFC 9112 §8',
    bytes: `${SECOND}GET /smuggled HTTP/1.1\r\nHo`,
    expect: { outcome: 'served', statuses: [200], sees: [second] },
  },
  badBody('a chunk size that only a signed parser reads', MUST_DIE, chunked(`-0\r\n\r\n${SMUGGLED}`)),
  badBody('a chunk size with a trailing NUL', MUST_DIE, chunked(`0\0\r\n\r\n${SMUGGLED}`)),
  badBody('Content-Length behind the last chunk', 'RFC 9110 §6.5.1', chunked('0\r\nContent-Length: 5\r\n\r\n')),
  badBody(
    'Transfer-Encoding behind the last chunk',
    'RFC 9110 §6.5.1',
    chunked('0\r\nTransfer-Encoding: chunked\r\n\r\n'),
  ),
  badBody('Host behind the last chunk', 'RFC 9110 §6.5.1', chunked('0\r\nHost: evil.test\r\n\r\n')),
  served(
    'credentials behind the last chunk go no further',
    'RFC 9110 §6.5.1',
    chunked('1\r\na\r\n0\r\nAuthorization: Basic eA==\r\nCookie: a=b\r\nX-Sum: 1\r\n\r\n'),
    { body: 'a', headers: { authorization: null, cookie: null } },
  ),
];
