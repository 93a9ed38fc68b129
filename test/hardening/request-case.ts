/** What an upstream must have seen of one request. */
export interface Seen {
  /** Method and target. */
  readonly line?: string;
  /** Lower-case name → value (several joined by `, `); null = must not be there. */
  readonly headers?: Readonly<Record<string, string | RegExp | null>>;
  /** Without framing, latin1. */
  readonly body?: string;
}

/**
 * What must come of the bytes:
 *
 * - `refused`: one answer with one of these statuses, the connection closes, the upstream sees not a byte.
 * - `cut`: the head is fine, what follows is not, or never comes. The upstream never sees a complete request, its
 *   connection is closed, and the client is answered with one of these statuses or only closed.
 * - `served`: these final statuses in order, and the upstream sees exactly these requests.
 * - `either`: two readings of the RFC are possible. Served as one request and nothing else, or refused.
 */
export type Expectation =
  | { readonly outcome: 'refused'; readonly statuses: readonly number[] }
  | { readonly outcome: 'cut'; readonly statuses: readonly number[] }
  | {
      readonly outcome: 'served';
      readonly statuses: readonly number[];
      readonly sees: readonly Seen[];
      readonly closes?: boolean;
    }
  | { readonly outcome: 'either'; readonly statuses: readonly number[]; readonly sees: readonly Seen[] };

export interface RequestCase {
  readonly name: string;
  /** RFC section or advisory that says so. */
  readonly source: string;
  /** latin1: `\x80` is one byte. */
  readonly bytes: string;
  readonly expect: Expectation;
  /**
   * The fault stands in the body. In one piece with its head nothing may be forwarded; byte by byte the head has
   * gone before the fault is seen, so `cut` is due instead.
   */
  readonly faultInBody?: true;
  /** Nothing is sent behind the bytes. Else a request for `/smuggled` follows refused and cut ones in the same write. */
  readonly alone?: true;
  /** Only in one piece: byte by byte the last ones may come behind the answer, and are then a next request. */
  readonly whole?: true;
  /** The client half-closes behind the bytes. */
  readonly end?: true;
  /** To the entry point that waits 1 s for a head. */
  readonly impatient?: true;
}

type Options = Pick<RequestCase, 'alone' | 'end' | 'impatient'>;
type Statuses = number | readonly number[];

/** The status 0 among the accepted ones: closed without an answer. */
export const NO_ANSWER = 0;

/** The Host line of an ordinary request. */
export const HOST = 'Host: app.test';

/** What an attacker hides behind or inside another request. */
export const SMUGGLED = `GET /smuggled HTTP/1.1\r\n${HOST}\r\n\r\n`;

/** Lines with CRLF, and the empty one that ends the head. */
export function head(...lines: readonly string[]): string {
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** An ordinary head for `/case` with more field lines. */
export function get(...fields: readonly string[]): string {
  return head('GET /case HTTP/1.1', HOST, ...fields);
}

/** As {@link get}, with POST. */
export function post(...fields: readonly string[]): string {
  return head('POST /case HTTP/1.1', HOST, ...fields);
}

/** A chunked POST with this (malformed) body. */
export function chunked(body: string): string {
  return post('Transfer-Encoding: chunked') + body;
}

export function refused(
  name: string,
  source: string,
  bytes: string,
  statuses: Statuses = 400,
  options: Options = {},
): RequestCase {
  return { name, source, bytes, expect: { outcome: 'refused', statuses: [statuses].flat() }, ...options };
}

/** Refused as a whole; cut where head and body arrive apart. */
export function badBody(
  name: string,
  source: string,
  bytes: string,
  statuses: Statuses = 400,
  options: Options = {},
): RequestCase {
  return { ...refused(name, source, bytes, statuses, options), faultInBody: true };
}

export function cut(
  name: string,
  source: string,
  bytes: string,
  statuses: Statuses = [400, NO_ANSWER],
  options: Options = {},
): RequestCase {
  return { name, source, bytes, expect: { outcome: 'cut', statuses: [statuses].flat() }, ...options };
}

/** Served with 200 each; sees one request per answer unless told otherwise. */
export function served(name: string, source: string, bytes: string, ...sees: readonly Seen[]): RequestCase {
  const seen = sees.length > 0 ? sees : [{}];
  return { name, source, bytes, expect: { outcome: 'served', statuses: seen.map(() => 200), sees: seen } };
}

/** One request, served or refused with one of the statuses; never anything else. */
export function either(
  name: string,
  source: string,
  bytes: string,
  statuses: Statuses = 400,
  seen: Seen = {},
): RequestCase {
  return { name, source, bytes, expect: { outcome: 'either', statuses: [statuses].flat(), sees: [seen] } };
}
