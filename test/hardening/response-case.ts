import type { Step } from '../support/recording-upstream.ts';

/**
 * What must come of an upstream's bytes:
 *
 * - `bad`: the client gets 502 (after forwarded interim responses at most).
 * - `aborted`: the fault comes behind the head. The client sees a message that is visibly incomplete and a closed
 *   connection, or 502 where the fault was known before anything went out. Never a complete message.
 * - `answered`: the response itself is whole and reaches the client; what stands behind it never does.
 * - `passed`: as `answered`, and there is nothing wrong: the upstream connection may be used again.
 *
 * Except for `passed`, the upstream connection is closed and never used again.
 */
export type ResponseOutcome = 'bad' | 'aborted' | 'answered' | 'passed';

/** What the client must get; what is left out is not looked at. */
export interface ClientSees {
  readonly status?: number;
  readonly reason?: string;
  readonly body?: string;
  /** Lower-case name → all values in order. */
  readonly headers?: Readonly<Record<string, readonly string[]>>;
  readonly trailers?: readonly (readonly [string, string])[];
  /** Statuses of interim responses, in order. */
  readonly interim?: readonly number[];
  /** Header names (lower case) that no interim response may have. */
  readonly interimWithout?: readonly string[];
}

export interface ResponseCase {
  readonly name: string;
  /** RFC section or advisory that says so. */
  readonly source: string;
  /** What the upstream does once it has the request. */
  readonly steps: readonly Step[];
  readonly outcome: ResponseOutcome;
  readonly sees?: ClientSees;
  /** Default: GET for `/case`. */
  readonly request?: string;
}

/** Lines with CRLF, and the empty one that ends the head. */
export function head(...lines: readonly string[]): string {
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** A 200 with a body of length 3, and more field lines. */
export function ok(...fields: readonly string[]): string {
  return `${head('HTTP/1.1 200 OK', 'Content-Length: 3', ...fields)}abc`;
}

/** A chunked 200 with this body. */
export function chunked(body: string): string {
  return head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked') + body;
}

/** A body that two bytes of an attacker's answer would like to become. */
export const POISON = `${head('HTTP/1.1 200 OK', 'X-Poison: yes', 'Content-Length: 6')}poison`;

type Bytes = string | readonly Step[];

function steps(bytes: Bytes): readonly Step[] {
  return typeof bytes === 'string' ? [bytes] : bytes;
}

export function bad(name: string, source: string, bytes: Bytes, request?: string): ResponseCase {
  return { name, source, steps: steps(bytes), outcome: 'bad', ...(request === undefined ? {} : { request }) };
}

export function aborted(name: string, source: string, bytes: Bytes): ResponseCase {
  return { name, source, steps: steps(bytes), outcome: 'aborted' };
}

export function answered(name: string, source: string, bytes: Bytes, sees: ClientSees, request?: string): ResponseCase {
  return {
    name,
    source,
    steps: steps(bytes),
    outcome: 'answered',
    sees,
    ...(request === undefined ? {} : { request }),
  };
}

export function passed(name: string, source: string, bytes: Bytes, sees: ClientSees, request?: string): ResponseCase {
  return { name, source, steps: steps(bytes), outcome: 'passed', sees, ...(request === undefined ? {} : { request }) };
}
