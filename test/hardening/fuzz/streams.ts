import type { Random } from './random.ts';

const HOST = 'Host: a.test';
/** Bytes that parsers disagree about. */
const ODD = [
  0, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x20, 0x22, 0x2b, 0x2c, 0x2d, 0x3a, 0x3b, 0x5f, 0x7f, 0x80, 0x85, 0xa0, 0xff,
];
const METHODS = ['GET', 'GET', 'GET', 'POST', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD', 'PATCH', 'PROPFIND'];
const TARGETS = [
  '/',
  '/a/b?c=d',
  '/%20',
  '/a%2Fb',
  '/;x',
  '/a?b?c',
  'http://a.test/x',
  '/\\',
  '/"',
  '/{}',
  '/a b',
  '/#',
  '*',
  '',
];
const VERSIONS = [
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/1.2',
  'http/1.1',
  'HTTP/1.1 ',
];
const FIELDS = [
  'X-A: b',
  'X-A:b',
  'X-A: \t b \t',
  'X-A:',
  'X-A: \xe9',
  'X_A: b',
  'Accept: */*',
  'Cookie: a=b; c=d',
  'Connection: keep-alive',
  'Connection: close',
  'Connection: x-a, keep-alive',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Upgrade: h2c',
  'TE: trailers',
  'Trailer: X-T',
  'Range: bytes=0-1',
];
const FRAMINGS = [
  'Content-Length: 3',
  'content-length: 3',
  'Content-Length: 0',
  'Content-Length: 03',
  'Content-Length: +3',
  'Content-Length: 3, 3',
  'Content-Length : 3',
  'Content-Length: 3 ',
  'Content-Length: 9007199254740993',
  'Content-Length:\n3',
  'Transfer-Encoding: chunked',
  'transfer-encoding: Chunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding: identity',
  'Transfer-Encoding: \x0bchunked',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding:\r\n chunked',
  'Transfer_Encoding: chunked',
];
const ENDS = ['\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', '\r\r\n', '\n\r'];
const CHUNKS = [
  '3\r\nabc\r\n',
  '3\r\nabc\r\n',
  '1\r\na\r\n',
  'A\r\n0123456789\r\n',
  '003\r\nabc\r\n',
  '3;x\r\nabc\r\n',
  '3;x=y;z="q\\"r"\r\nabc\r\n',
  '5\r\n0\r\n\r\n\r\n',
  '3;\r\nabc\r\n',
  '3 \r\nabc\r\n',
  ' 3\r\nabc\r\n',
  '3\nabc\r\n',
  '3\r\nabc\n',
  '3\r\nabcd\r\n',
  '0x3\r\nabc\r\n',
  '+3\r\nabc\r\n',
  '3;a\nb\r\nabc\r\n',
  '100000003\r\nabc\r\n',
];
const LAST = [
  '0\r\n\r\n',
  '0\r\n\r\n',
  '0\r\n\r\n',
  '000\r\n\r\n',
  '0\r\nX-T: v\r\n\r\n',
  '0;x\r\n\r\n',
  '0\r\n\n',
  '0\n\r\n',
  '0\r\nX-T : v\r\n\r\n',
  '0\r\nContent-Length: 3\r\n\r\n',
  '',
];
const STATUS_LINES = [
  'HTTP/1.1 200 OK',
  'HTTP/1.1 200 OK',
  'HTTP/1.1 200 OK',
  'HTTP/1.1 404 Not Found',
  'HTTP/1.0 200 OK',
  'HTTP/1.1 204 No Content',
  'HTTP/1.1 304 Not Modified',
  'HTTP/1.1 200',
  'HTTP/1.1 200 ',
  'HTTP/1.1  200 OK',
  'HTTP/1.1 20 OK',
  'HTTP/1.1 2000 OK',
  'HTTP/1.2 200 OK',
  'http/1.1 200 OK',
  'HTTP/1.1\t200 OK',
  'HTTP/1.1 200 \xe9',
];
const INTERIM = [
  'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n',
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 102 Processing\r\n\r\n',
];

function lines(random: Random, first: string, wild: boolean, fields: readonly string[]): string {
  const end = (): string => (wild && random.chance(8) ? random.pick(ENDS) : '\r\n');
  let text = first + end();
  for (const field of fields) text += field + end();
  return text + end();
}

function body(random: Random, framing: string, wild: boolean): string {
  if (/chunked/i.test(framing) || (wild && random.chance(10))) {
    let text = '';
    const valid = wild ? CHUNKS.length : 7;
    for (let n = random.below(4); n > 0; n--) text += CHUNKS[random.below(valid)];
    return text + (wild ? random.pick(LAST) : '0\r\n\r\n');
  }
  if (/content-length/i.test(framing) && !/: 0$/.test(framing)) return wild && random.chance(10) ? 'abcd' : 'abc';
  return '';
}

function framingOf(random: Random, wild: boolean): string[] {
  if (random.chance(40)) return [];
  const first = wild
    ? random.pick(FRAMINGS)
    : random.pick(['Content-Length: 3', 'Content-Length: 0', 'Transfer-Encoding: chunked']);
  return wild && random.chance(12) ? [first, random.pick(FRAMINGS)] : [first];
}

/** Some bytes changed, taken out, doubled or put in. */
function mutate(random: Random, text: string): string {
  let result = text;
  for (let n = 1 + random.below(3); n > 0; n--) {
    const at = random.below(result.length + 1);
    const byte = String.fromCharCode(random.chance(60) ? random.pick(ODD) : random.below(256));
    switch (random.below(4)) {
      case 0:
        result = result.slice(0, at) + byte + result.slice(at + 1);
        break;
      case 1:
        result = result.slice(0, at) + byte + result.slice(at);
        break;
      case 2:
        result = result.slice(0, at) + result.slice(at + 1 + random.below(3));
        break;
      default: {
        const length = 1 + random.below(20);
        result = result.slice(0, at + length) + result.slice(at);
      }
    }
  }
  return result;
}

/** A stream of one to four requests: valid, odd, or mutated. Bytes as latin1. */
export function requestStream(random: Random): string {
  let text = '';
  for (let n = 1 + random.below(4); n > 0; n--) {
    const wild = random.chance(35);
    const fields = [HOST];
    for (let k = random.below(3); k > 0; k--) fields.push(random.pick(FIELDS));
    const framing = framingOf(random, wild);
    fields.splice(random.below(fields.length + 1), 0, ...framing);
    const target = random.chance(wild ? 50 : 15) ? random.pick(TARGETS) : '/case';
    const version = wild ? random.pick(VERSIONS) : random.chance(10) ? 'HTTP/1.0' : 'HTTP/1.1';
    text +=
      lines(random, `${random.pick(METHODS)} ${target} ${version}`, wild, fields) +
      body(random, framing[0] ?? '', wild);
    if (random.chance(4)) text += '\r\n';
  }
  return random.chance(35) ? mutate(random, text) : text;
}

/** What an upstream might answer to one GET, before it closes. Bytes as latin1. */
export function responseStream(random: Random): string {
  const wild = random.chance(50);
  let text = random.chance(15) ? random.pick(INTERIM) : '';
  const fields: string[] = [];
  for (let k = random.below(3); k > 0; k--) fields.push(random.pick(FIELDS));
  const framing = framingOf(random, wild);
  fields.splice(random.below(fields.length + 1), 0, ...framing);
  const line = random.chance(wild ? 60 : 20) ? random.pick(STATUS_LINES) : 'HTTP/1.1 200 OK';
  text +=
    lines(random, line, wild, fields) +
    (framing.length === 0 && random.chance(60) ? 'abc' : body(random, framing[0] ?? '', wild));
  if (random.chance(8)) text += 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison';
  return random.chance(35) ? mutate(random, text) : text;
}
