import {
  badBody,
  chunked,
  cut,
  either,
  get,
  HOST,
  head,
  NO_ANSWER,
  post,
  type RequestCase,
  refused,
  SMUGGLED,
  served,
} from '../request-case.ts';

const BOTH = 'RFC 9112 §6.3 (3)';
const LENGTH = 'RFC 9110 §8.6';
const LENGTHS = 'RFC 9112 §6.3 (5)';
const CODING = 'RFC 9112 §6.1';

const EMPTY = '0\r\n\r\n';
const length = (...values: readonly string[]): string => post(...values.map((value) => `Content-Length: ${value}`));
const coding = (...values: readonly string[]): string =>
  post(...values.map((value) => `Transfer-Encoding: ${value}`)) + EMPTY;
const body = (text: string) => ({ line: 'POST /case', body: text });

/** Where a body ends by Content-Length and Transfer-Encoding: request smuggling, family by family. */
export const FRAMING: readonly RequestCase[] = [
  // CL.TE and TE.CL (RFC 9112 §11.2): the two ends believe different fields.
  refused(
    'CL.TE: the chunked body ends before the length does',
    BOTH,
    post('Content-Length: 6', 'Transfer-Encoding: chunked') + '0\r\n\r\nG',
  ),
  refused(
    'TE.CL: the length ends inside the first chunk',
    BOTH,
    post('Transfer-Encoding: chunked', 'Content-Length: 4') +
      `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`,
  ),
  refused('both, and they agree', BOTH, post('Content-Length: 5', 'Transfer-Encoding: chunked') + EMPTY),
  refused('both, length 0', BOTH, post('Content-Length: 0', 'Transfer-Encoding: chunked') + EMPTY),
  refused('both on GET', BOTH, get('Content-Length: 5', 'Transfer-Encoding: chunked') + EMPTY),
  refused('both, far apart', BOTH, post('Content-Length: 5', 'X-A: b', 'X-B: c', 'Transfer-Encoding: chunked') + EMPTY),
  refused(
    'both, the coding is unknown',
    BOTH,
    post('Content-Length: 5', 'Transfer-Encoding: xchunked') + EMPTY,
    [400, 501],
  ),
  refused('both, the coding is empty', BOTH, post('Content-Length: 5', 'Transfer-Encoding:') + EMPTY),
  refused(
    'both, named by Connection',
    'RFC 9110 §7.6.1',
    post('Content-Length: 5', 'Transfer-Encoding: chunked', 'Connection: transfer-encoding') + EMPTY,
  ),

  // TE.TE: one end does not recognise an obfuscated coding.
  refused(
    'a space before the colon of Transfer-Encoding',
    'RFC 9112 §5.1',
    post('Transfer-Encoding : chunked') + EMPTY,
  ),
  refused('a tab before the colon of Transfer-Encoding', 'RFC 9112 §5.1', post('Transfer-Encoding\t: chunked') + EMPTY),
  refused('a folded Transfer-Encoding', 'RFC 9112 §5.2', post('Transfer-Encoding:', ' chunked') + EMPTY),
  refused(
    'a Transfer-Encoding folded behind its value',
    'RFC 9112 §5.2',
    post('Transfer-Encoding: chunked', ' , identity') + EMPTY,
  ),
  refused(
    'a leading space before Transfer-Encoding',
    'RFC 9112 §5.2',
    post('X-A: b', ' Transfer-Encoding: chunked', 'Content-Length: 5') + EMPTY,
  ),
  refused('a vertical tab before the coding', CODING, coding('\x0bchunked'), [400, 501]),
  refused('a form feed before the coding', CODING, coding('\x0cchunked'), [400, 501]),
  refused('a NUL behind the coding', CODING, coding('chunked\0'), [400, 501]),
  refused('a bare CR behind the coding', CODING, coding('chunked\r'), [400, 501]),
  refused('a no-break space before the coding', CODING, coding('\xa0chunked'), [400, 501]),
  refused('the coding in quotes', CODING, coding('"chunked"'), [400, 501]),
  refused('the coding in single quotes', CODING, coding("'chunked'"), [400, 501]),
  refused('the coding with a parameter', CODING, coding('chunked;a=b'), [400, 501]),
  refused('the coding with a semicolon', CODING, coding('chunked;'), [400, 501]),
  refused('the coding with a quality', CODING, coding('chunked;q=1'), [400, 501]),
  refused('a coding that ends in chunked', CODING, coding('xchunked'), [400, 501]),
  refused('a coding that starts with chunked', CODING, coding('chunkedx'), [400, 501]),
  refused('two words', CODING, coding('chunked identity'), [400, 501]),
  refused('a coding with a typo', CODING, coding('chunke'), [400, 501]),
  refused('the Kelvin sign is no k', CODING, coding('chun\xe2\x84\xaaed'), [400, 501]),
  refused('chunked twice', 'RFC 9112 §6.1: chunked at most once', coding('chunked, chunked'), [400, 501]),
  refused('chunked twice in two lines', CODING, coding('chunked', 'chunked'), [400, 501]),
  refused('chunked, then identity', CODING, coding('chunked, identity'), [400, 501]),
  refused('identity, then chunked', CODING, coding('identity, chunked'), [400, 501]),
  refused('chunked, then an unknown coding in a second line', CODING, coding('chunked', 'x'), [400, 501]),
  refused('an unknown coding, then chunked in a second line', CODING, coding('x', 'chunked'), [400, 501]),
  refused('chunked before gzip: not last', 'RFC 9112 §6.3 (4)', coding('chunked, gzip'), [400, 501]),
  refused('gzip, then chunked', CODING, coding('gzip, chunked'), [400, 501]),
  refused('gzip alone', 'RFC 9112 §6.3 (4)', coding('gzip'), [400, 501]),
  refused('identity', 'RFC 9112 §7', coding('identity'), [400, 501]),
  refused('an unknown coding', CODING, coding('cow'), [400, 501]),
  refused('an empty coding', CODING, coding(''), [400, 501]),
  refused('a comma alone', CODING, coding(','), [400, 501]),
  refused('a leading comma', 'RFC 9110 §5.6.1', coding(', chunked'), [400, 501]),
  refused('a trailing comma', 'RFC 9110 §5.6.1', coding('chunked,'), [400, 501]),
  refused('an empty line and a chunked one', CODING, coding('', 'chunked'), [400, 501]),
  refused(
    'Transfer-Encoding on HTTP/1.0',
    CODING,
    head('POST /case HTTP/1.0', HOST, 'Transfer-Encoding: chunked') + EMPTY,
  ),
  refused(
    'Transfer-Encoding on HTTP/1.0 with keep-alive',
    CODING,
    head('POST /case HTTP/1.0', HOST, 'Connection: keep-alive', 'Transfer-Encoding: chunked') + EMPTY,
  ),
  refused(
    'both on HTTP/1.0',
    CODING,
    head('POST /case HTTP/1.0', HOST, 'Transfer-Encoding: chunked', 'Content-Length: 5') + EMPTY,
  ),
  refused(
    'Transfer-Encoding: identity on HTTP/1.0',
    CODING,
    head('POST /case HTTP/1.0', HOST, 'Transfer-Encoding: identity') + EMPTY,
    [400, 501],
  ),
  either(
    'a tab before the coding',
    'RFC 9112 §5',
    post('Transfer-Encoding:\tchunked') + '1\r\na\r\n0\r\n\r\n',
    [400, 501],
    body('a'),
  ),
  either(
    'whitespace behind the coding',
    'RFC 9112 §5',
    post('Transfer-Encoding: chunked \t') + '1\r\na\r\n0\r\n\r\n',
    [400, 501],
    body('a'),
  ),

  // Content-Length that two parsers read differently.
  ...[
    ['a plus sign', '+5'],
    ['a minus sign', '-5'],
    ['minus zero', '-0'],
    ['hexadecimal', '0x5'],
    ['a decimal point', '5.0'],
    ['an exponent', '5e0'],
    ['a space inside', '5 5'],
    ['a tab inside', '5\t5'],
    ['an underscore', '1_0'],
    ['a thousands separator', "1'000"],
    ['a unit', '5 bytes'],
    ['letters', 'abc'],
    ['letters behind digits', '5abc'],
    ['quotes', '"5"'],
    ['a semicolon', '5;'],
    ['a list of equal values', '5, 5'],
    ['a list of different values', '5, 6'],
    ['a list with an empty member', '5,'],
    ['a leading comma', ',5'],
    ['nothing', ''],
    ['only whitespace', ' \t '],
    ['a full-width digit', '\xef\xbc\x95'],
    ['an Arabic digit', '\xd9\xa5'],
    ['a superscript digit', '\xb2'],
    ['a vertical tab before it', '\x0b5'],
    ['a NUL behind it', '5\0'],
    ['a bare CR behind it', '5\r'],
    ['2^63', '9223372036854775808'],
    ['2^64', '18446744073709551616'],
    ['2^64 + 5', '18446744073709551621'],
    ['2^53 + 1', '9007199254740993'],
    ['a hundred digits', '9'.repeat(100)],
  ].map(([what, value]) => refused(`Content-Length: ${what}`, LENGTH, length(value!) + 'abcde', [400, 413])),
  refused('Content-Length twice, different', LENGTHS, length('5', '6') + 'abcde'),
  refused('Content-Length twice, equal', LENGTHS, length('5', '5') + 'abcde'),
  refused('Content-Length twice, in different case', LENGTHS, post('Content-Length: 5', 'content-length: 0') + 'abcde'),
  refused('Content-Length twice, one empty', LENGTHS, length('', '5') + 'abcde'),
  refused('Content-Length twice, zero and smuggled', LENGTHS, length('0', String(SMUGGLED.length)) + SMUGGLED),
  refused('Content-Length three times, the middle one differs', LENGTHS, length('5', '6', '5') + 'abcde'),
  refused('a space before the colon of Content-Length', 'RFC 9112 §5.1', post('Content-Length : 5') + 'abcde'),
  refused('a folded Content-Length', 'RFC 9112 §5.2', post('Content-Length:', ' 5') + 'abcde'),
  refused('a Content-Length folded behind its digits', 'RFC 9112 §5.2', post('Content-Length: 5', ' 0') + 'abcde'),
  refused(
    '0.CL: the length hides behind a bare LF',
    'RFC 9112 §2.2',
    post(`X-A: b\nContent-Length: ${SMUGGLED.length}`) + SMUGGLED,
  ),
  refused('malformed Content-Length on GET', LENGTH, get('Content-Length: x')),
  refused(
    'malformed Content-Length on HTTP/1.0',
    LENGTH,
    head('POST /case HTTP/1.0', HOST, 'Content-Length: 5,5') + 'abcde',
  ),
  either('Content-Length with leading zeros', LENGTH, length('005') + 'abcde', 400, body('abcde')),

  // Bodies on methods that seldom have one: forwarded with their body, as one request.
  served(
    'CL.0: a body that looks like a request',
    'PortSwigger: browser-powered desync',
    length(String(SMUGGLED.length)) + SMUGGLED,
    body(SMUGGLED),
  ),
  served('GET with a body', 'RFC 9110 §9.3.1', get(`Content-Length: ${SMUGGLED.length}`) + SMUGGLED, {
    line: 'GET /case',
    body: SMUGGLED,
  }),
  ...['GET', 'DELETE', 'OPTIONS', 'HEAD', 'PATCH', 'PROPFIND'].map((method) =>
    served(
      `a chunked ${method}`,
      'CVE-2026-29057',
      head(`${method} /case HTTP/1.1`, HOST, 'Transfer-Encoding: chunked') +
        `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`,
      { line: `${method} /case`, body: SMUGGLED },
    ),
  ),
  served('Content-Length: 0 on GET', LENGTH, get('Content-Length: 0'), { line: 'GET /case', body: '' }),
  served('POST without any length', 'RFC 9112 §6.3 (7)', post(), body('')),
  served('a body on HTTP/1.0', LENGTH, head('POST /case HTTP/1.0', HOST, 'Content-Length: 5') + 'abcde', body('abcde')),
  served(
    'a coding in another case',
    'RFC 9112 §7',
    post('Transfer-Encoding: Chunked') + '1\r\na\r\n0\r\n\r\n',
    body('a'),
  ),
  served(
    'Transfer-Encoding in another case',
    'RFC 9110 §5.1',
    post('tRANSFER-eNCODING: CHUNKED') + '1\r\na\r\n0\r\n\r\n',
    body('a'),
  ),
  served(
    'Connection cannot take Content-Length away',
    'RFC 9110 §7.6.1',
    post('Content-Length: 5', 'Connection: content-length') + 'abcde',
    body('abcde'),
  ),
  served(
    'Connection cannot take Transfer-Encoding away',
    'RFC 9110 §7.6.1',
    post('Transfer-Encoding: chunked', 'Connection: transfer-encoding') + '1\r\na\r\n0\r\n\r\n',
    body('a'),
  ),
  served(
    'fields that only look like framing',
    'RFC 9110 §5.1',
    post('Content_Length: 99', 'Transfer_Encoding: chunked', 'X-Content-Length: 9', 'Content-Length: 1') + 'a',
    body('a'),
  ),

  // The end comes too early.
  cut('a length body cut short', 'RFC 9112 §8', length('10') + 'abcde', [400, 408, NO_ANSWER], {
    alone: true,
    end: true,
  }),
  cut('a chunked body cut inside a chunk', 'RFC 9112 §8', chunked('5\r\nab'), [400, 408, NO_ANSWER], {
    alone: true,
    end: true,
  }),
  cut('a chunked body cut before the last chunk', 'RFC 9112 §8', chunked('5\r\nabcde\r\n'), [400, 408, NO_ANSWER], {
    alone: true,
    end: true,
  }),
  cut('a chunked body cut inside the trailers', 'RFC 9112 §8', chunked('0\r\nX-A: b\r\n'), [400, 408, NO_ANSWER], {
    alone: true,
    end: true,
  }),
  badBody('a response in place of a chunked body', 'RFC 9112 §7.1', chunked('HTTP/1.1 200 OK\r\n\r\n')),
];
