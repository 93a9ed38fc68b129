/** Why an order, or another request to a CA, failed. */
export class AcmeError extends Error {
  override readonly name = 'AcmeError';
  readonly kind: AcmeErrorKind;
  /** The problem type of the CA without its URN prefix, for example `rateLimited` (RFC 8555 section 6.7). */
  readonly type: string | undefined;
  /** How long the CA asks to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(
    kind: AcmeErrorKind,
    message: string,
    details: { readonly type?: string; readonly retryAfterMs?: number; readonly cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.kind = kind;
    this.type = details.type;
    this.retryAfterMs = details.retryAfterMs;
  }
}

/**
 * - `unreachable`: the CA does not answer, has no directory to give, or is not to be trusted; it says nothing about the names;
 * - `broken`: it has trouble of its own (5xx), or answers what no ACME server does;
 * - `refused`: the CA answered no;
 * - `challenge`: the CA could not convince itself of a name;
 * - `local`: something here (a file, a script, a setting);
 * - `unknown`: there is nothing of that name;
 * - `closed`: the proxy is stopping.
 */
export type AcmeErrorKind = 'unreachable' | 'broken' | 'refused' | 'challenge' | 'local' | 'unknown' | 'closed';
