/** One request as an upstream saw it. */
export interface SeenRequest {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Without chunk framing. */
  readonly body: Buffer;
  /** The head as received. */
  readonly head: string;
  readonly framing: 'none' | 'length' | 'chunked';
  /** First value of a header, by any case of its name. */
  header(name: string): string | undefined;
}

/**
 * Takes one request off the front of the bytes, as leniently as the worst upstream would: bare LF ends a line, anything
 * that contains "chunked" is chunked, a length is what parseInt makes of it. What such a reader takes for a second
 * request is exactly what must never be forwarded.
 *
 * @returns undefined while it is incomplete
 */
export function takeRequest(bytes: Buffer): { request: SeenRequest; length: number } | undefined {
  const text = bytes.toString('latin1', 0, Math.min(bytes.length, 1024 * 1024));
  const headEnd = /\r?\n\r?\n/.exec(text);
  if (headEnd === null) return undefined;
  const head = text.slice(0, headEnd.index);
  const [line = '', ...fields] = head.split(/\r?\n/);
  const [method = '', target = '', version = ''] = line.split(' ');
  const headers = fields.map((field): readonly [string, string] => {
    const colon = field.indexOf(':');
    return colon === -1 ? [field.trim(), ''] : [field.slice(0, colon).trim(), field.slice(colon + 1).trim()];
  });
  const header = (name: string): string | undefined =>
    headers.find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];
  const start = headEnd.index + headEnd[0].length;
  const base = { method, target, version, headers, head, header };

  if (/chunked/i.test(header('transfer-encoding') ?? '')) {
    const chunked = takeChunked(bytes, start);
    return chunked && { request: { ...base, body: chunked.body, framing: 'chunked' }, length: chunked.end };
  }
  const length = Number.parseInt(header('content-length') ?? '0', 10) || 0;
  if (bytes.length < start + length) return undefined;
  const framing = header('content-length') === undefined ? 'none' : 'length';
  return {
    request: { ...base, body: Buffer.from(bytes.subarray(start, start + length)), framing },
    length: start + length,
  };
}

function takeChunked(bytes: Buffer, start: number): { body: Buffer; end: number } | undefined {
  const parts: Buffer[] = [];
  let offset = start;
  for (;;) {
    const lf = bytes.indexOf(0x0a, offset);
    if (lf === -1) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', offset, lf), 16);
    offset = lf + 1;
    if (Number.isNaN(size)) return undefined;
    if (size === 0) break;
    if (bytes.length < offset + size + 1) return undefined;
    parts.push(Buffer.from(bytes.subarray(offset, offset + size)));
    offset += size;
    if (bytes[offset] === 0x0d) offset++;
    if (bytes[offset] === undefined) return undefined;
    if (bytes[offset] === 0x0a) offset++;
  }
  for (;;) {
    const lf = bytes.indexOf(0x0a, offset);
    if (lf === -1) return undefined;
    const line = bytes.toString('latin1', offset, lf).trim();
    offset = lf + 1;
    if (line === '') return { body: Buffer.concat(parts), end: offset };
  }
}
