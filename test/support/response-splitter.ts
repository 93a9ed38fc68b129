/** One response as it stood in the byte stream. */
export interface RawResponse {
  readonly version: string;
  readonly status: number;
  readonly reason: string;
  /** As received: order, case and duplicates kept. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  readonly trailers: readonly (readonly [name: string, value: string])[];
  readonly framing: 'none' | 'length' | 'chunked' | 'close';
  /** False where the stream ended (so far) inside the message. */
  readonly complete: boolean;
  /** First value of a header, by any case of its name. */
  header(name: string): string | undefined;
}

export interface Split {
  readonly responses: readonly RawResponse[];
  /** What follows the last complete message: an unfinished head, bytes of a tunnel, or bytes nobody asked for. */
  readonly rest: Buffer;
}

export interface SplitOptions {
  /** Methods of the requests, in order: the answer to HEAD has no body, the one to CONNECT opens a tunnel. */
  readonly methods?: readonly string[];
  /** Whether the connection has been closed in order: what delimits a body of neither length nor chunks. */
  readonly closed?: boolean;
}

const CRLF = '\r\n';
const STATUS_LINE = /^HTTP\/(\d\.\d) ([1-5]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/;
const FIELD_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/;

/**
 * Splits the bytes a client received into responses, strictly by RFC 9112 §4 to §7: tests find out what a proxy really
 * sent, not what a forgiving client made of it.
 *
 * @throws Error where the bytes are not HTTP/1
 */
export function splitResponses(bytes: Buffer, options: SplitOptions = {}): Split {
  const responses: RawResponse[] = [];
  let offset = 0;
  let answered = 0;
  while (offset < bytes.length && answered < (options.methods?.length ?? Number.POSITIVE_INFINITY)) {
    const headEnd = bytes.indexOf('\r\n\r\n', offset);
    if (headEnd === -1) break;
    const method = options.methods?.[answered] ?? 'GET';
    const head = parseHead(bytes.toString('latin1', offset, headEnd));
    const body = readBody(bytes, headEnd + 4, head, method, options.closed ?? false);
    responses.push({ ...head, ...body, header: (name) => firstValue(head.headers, name) });
    offset = body.end;
    if (head.status >= 200 || head.status === 101) answered++;
    if (head.status === 101 || !body.complete) break;
  }
  return { responses, rest: bytes.subarray(offset) };
}

interface Head {
  readonly version: string;
  readonly status: number;
  readonly reason: string;
  readonly headers: [string, string][];
}

function parseHead(text: string): Head {
  const [line = '', ...fields] = text.split(CRLF);
  const match = STATUS_LINE.exec(line);
  if (match === null) throw new Error(`not a status line: ${JSON.stringify(line)}`);
  return { version: match[1]!, status: Number(match[2]), reason: match[3] ?? '', headers: fields.map(parseField) };
}

function parseField(line: string): [string, string] {
  const match = FIELD_LINE.exec(line);
  if (match === null) throw new Error(`not a header field: ${JSON.stringify(line)}`);
  return [match[1]!, match[2]!];
}

function firstValue(headers: Head['headers'], name: string): string | undefined {
  return headers.find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];
}

interface Body {
  readonly body: Buffer;
  readonly trailers: [string, string][];
  readonly framing: RawResponse['framing'];
  readonly complete: boolean;
  /** Offset behind the message. */
  readonly end: number;
}

/** RFC 9112 §6.3. */
function readBody(bytes: Buffer, start: number, head: Head, method: string, closed: boolean): Body {
  const none: Body = { body: Buffer.alloc(0), trailers: [], framing: 'none', complete: true, end: start };
  if (method === 'HEAD' || head.status < 200 || head.status === 204 || head.status === 304) return none;
  const coding = firstValue(head.headers, 'transfer-encoding');
  const lengths = head.headers.filter(([name]) => name.toLowerCase() === 'content-length').map(([, value]) => value);
  if (coding !== undefined && lengths.length > 0)
    throw new Error('a response with Transfer-Encoding and Content-Length');
  if (coding !== undefined) {
    if (coding.toLowerCase() !== 'chunked') throw new Error(`a response with Transfer-Encoding: ${coding}`);
    return readChunked(bytes, start);
  }
  if (lengths.length > 0) {
    if (lengths.length > 1 || !/^\d+$/.test(lengths[0]!))
      throw new Error(`a response with Content-Length: ${lengths.join(' and ')}`);
    const length = Number(lengths[0]);
    const body = bytes.subarray(start, start + length);
    return { ...none, body, framing: 'length', complete: body.length === length, end: start + body.length };
  }
  return { ...none, body: bytes.subarray(start), framing: 'close', complete: closed, end: bytes.length };
}

/** RFC 9112 §7.1. */
function readChunked(bytes: Buffer, start: number): Body {
  const parts: Buffer[] = [];
  const unfinished = (): Body => ({
    body: Buffer.concat(parts),
    trailers: [],
    framing: 'chunked',
    complete: false,
    end: bytes.length,
  });
  let offset = start;
  for (;;) {
    const lineEnd = bytes.indexOf(CRLF, offset);
    if (lineEnd === -1) return unfinished();
    const line = bytes.toString('latin1', offset, lineEnd);
    const size = /^([0-9A-Fa-f]{1,13})(?:;[\t\x20-\x7e]*)?$/.exec(line)?.[1];
    if (size === undefined) throw new Error(`not a chunk size: ${JSON.stringify(line)}`);
    offset = lineEnd + 2;
    const length = Number.parseInt(size, 16);
    if (length === 0) break;
    parts.push(bytes.subarray(offset, offset + length));
    if (bytes.length < offset + length + 2) return unfinished();
    if (bytes.toString('latin1', offset + length, offset + length + 2) !== CRLF)
      throw new Error('no CRLF behind chunk data');
    offset += length + 2;
  }
  const trailers: [string, string][] = [];
  for (;;) {
    const lineEnd = bytes.indexOf(CRLF, offset);
    if (lineEnd === -1) return unfinished();
    const line = bytes.toString('latin1', offset, lineEnd);
    offset = lineEnd + 2;
    if (line === '') return { body: Buffer.concat(parts), trailers, framing: 'chunked', complete: true, end: offset };
    trailers.push(parseField(line));
  }
}
