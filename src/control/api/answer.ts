/** A request to an internal service, without the prefix that names the service. */
export interface InternalRequest {
  readonly method: string;
  /** As sent, percent-encoded; starts with `/`, or is empty. */
  readonly path: string;
  readonly query: URLSearchParams;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export function json(value: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  const body = `${JSON.stringify(value)}\n`;
  return { status: 200, headers: { 'Content-Type': 'application/json', ...headers }, body };
}

/** An error of the API, in Traefik's form: `{"message":…}`. */
export function problem(status: number, message: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return { ...json({ message }, headers), status };
}

export function plainText(status: number, body: string): Answer {
  return { status, headers: { 'Content-Type': 'text/plain; charset=utf-8' }, body };
}

export function html(body: string): Answer {
  return {
    status: 200,
    headers: {
      'Content-Type': 'text/html; charset=utf-8',
      // The page needs nothing but its own style: whatever got into it by mistake would not run.
      'Content-Security-Policy':
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
      'Referrer-Policy': 'no-referrer',
    },
    body,
  };
}

/** 405 for what neither GET nor HEAD is; null where the method may be answered. */
export function refuseMethod(method: string): Answer | null {
  if (method === 'GET' || method === 'HEAD') return null;
  return problem(405, `method ${method} is not allowed here, only GET and HEAD are`, { Allow: 'GET, HEAD' });
}
