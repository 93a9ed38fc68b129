import { AsyncLocalStorage } from 'node:async_hooks';
import acme from 'acme-client';
import { AcmeError } from './acme-error.ts';
import type { CaAnswer } from './ca-request.ts';

/**
 * How acme-client's requests reach the right CA. The library has one HTTP client for all, with one set of roots, no time-outs,
 * and five retries that wait as long as a CA asks for. Here each call runs in a session of its resolver, and the adapter of the
 * library's own axios instance (which nothing else in the process uses) hands the request to that session.
 */
export interface AcmeSession {
  /** The directory's URL: a CA that has none to give is away. */
  readonly directory: string;
  /** @throws AcmeError where there is no answer */
  send(
    method: string,
    url: URL,
    headers: Readonly<Record<string, string>>,
    body: string | undefined,
  ): Promise<CaAnswer>;
  /** A nonce that an earlier answer brought (RFC 8555 section 6.5 lets it be used for any request), to save a round trip. */
  takeNonce(): string | undefined;
  keepNonce(nonce: string): void;
  /** The refusal that came last, which the library makes an Error without a type of. */
  problem?: AcmeError | undefined;
}

const sessions = new AsyncLocalStorage<AcmeSession>();
const BAD_NONCE = 'badNonce';
/** The library signs again with a fresh nonce five times; a CA that refuses half of them needs more now and then. */
const BAD_NONCE_ROUNDS = 4;

/** Runs calls of acme-client in a session. @throws AcmeError */
export async function inSession<T>(session: AcmeSession, call: () => Promise<T>): Promise<T> {
  installAdapter();
  for (let round = 1; ; round++) {
    session.problem = undefined;
    try {
      return await sessions.run(session, call);
    } catch (error) {
      // Assigned by the adapter meanwhile.
      const problem = session.problem as AcmeError | undefined;
      if (problem?.type === BAD_NONCE && round < BAD_NONCE_ROUNDS) continue;
      if (error instanceof AcmeError) throw error;
      if (problem !== undefined) throw problem;
      throw new AcmeError('broken', `the CA's answer makes no sense: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
}

let installed = false;

function installAdapter(): void {
  if (installed) return;
  installed = true;
  const { defaults } = acme.axios;
  // Whether and when to try again is the schedule's to say.
  Object.assign((defaults as { acmeSettings?: object }).acmeSettings ?? {}, { retryMaxAttempts: 0 });
  defaults.adapter = async (config) => {
    const session = sessions.getStore();
    if (session === undefined) throw new Error('an ACME request outside of a session');
    const url = new URL(config.url ?? '');
    const method = (config.method ?? 'get').toUpperCase();
    const answer = await answerFor(session, method, url, config.headers, config.data as unknown);
    return { data: answer.body, status: answer.status, statusText: '', headers: answer.headers, config };
  };
}

async function answerFor(
  session: AcmeSession,
  method: string,
  url: URL,
  given: object,
  data: unknown,
): Promise<CaAnswer> {
  // The only HEAD is the one for a nonce.
  if (method === 'HEAD') {
    const nonce = session.takeNonce();
    if (nonce !== undefined) return { status: 200, headers: { 'replay-nonce': nonce }, body: '' };
  }
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) {
    if (typeof value === 'string') headers[name.toLowerCase()] = value;
  }
  const body = typeof data === 'string' ? data : undefined;
  if (body !== undefined) headers['content-length'] = String(Buffer.byteLength(body));
  const answer = await session.send(method, url, headers, body);
  const nonce = answer.headers['replay-nonce'];
  if (answer.status < 400) {
    if (nonce !== undefined && method === 'POST') session.keepNonce(nonce);
    if (answer.status >= 300) throw noAcmeServer(url, answer, session.directory);
    return answer;
  }
  const problem = readProblem(url, answer, session.directory);
  session.problem = problem;
  // The library reads this one itself, and takes the nonce from it.
  if (problem.type === BAD_NONCE) return answer;
  if (nonce !== undefined) session.keepNonce(nonce);
  throw problem;
}

/** RFC 8555 section 6.7, RFC 9457. */
function readProblem(url: URL, answer: CaAnswer, directory: string): AcmeError {
  const retryAfterMs = parseRetryAfter(answer.headers['retry-after']);
  const document = parseObject(answer.body);
  const retry = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (typeof document?.type !== 'string') {
    const trouble = answer.status >= 500;
    if (answer.status !== 429 && !trouble) return noAcmeServer(url, answer, directory);
    const kind = !trouble ? 'refused' : url.href === directory ? 'unreachable' : 'broken';
    return new AcmeError(kind, `the CA answered ${answer.status} to ${url.pathname}`, retry);
  }
  const type = document.type.replace(/^urn:ietf:params:acme:error:/, '');
  const detail = typeof document.detail === 'string' ? document.detail : `status ${answer.status}`;
  const parts = Array.isArray(document.subproblems) ? document.subproblems.map(describeSubproblem) : [];
  const message = `the CA refused (${type}): ${[detail, ...parts].join('; ').replaceAll(/\s+/g, ' ')}`;
  return new AcmeError(answer.status >= 500 ? 'broken' : 'refused', message, { type, ...retry });
}

function describeSubproblem(problem: unknown): string {
  const { identifier, detail } = (problem ?? {}) as { identifier?: { value?: unknown }; detail?: unknown };
  return `${String(identifier?.value ?? 'a name')}: ${String(detail ?? 'refused')}`;
}

function noAcmeServer(url: URL, { status, headers, body }: CaAnswer, directory: string): AcmeError {
  const where = headers.location === undefined ? '' : ` to ${headers.location}`;
  const server = headers.server === undefined ? '' : ` (server: ${headers.server})`;
  const text = body.replaceAll(/\s+/g, ' ').trim().slice(0, 80);
  return new AcmeError(
    url.href === directory ? 'unreachable' : 'broken',
    `${url.href} answers ${status}${where}${server}, which is no answer of an ACME server${text === '' ? '' : `: ${JSON.stringify(text)}`}`,
  );
}

/** Milliseconds; seconds or an HTTP date (RFC 9110 section 10.2.3). */
export function parseRetryAfter(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,12}$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

/** The object that a JSON text is; null where it is something else. */
export function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    const object = typeof value === 'object' && value !== null && !Array.isArray(value);
    return object ? (value as Record<string, unknown>) : null;
  } catch {
    // Not every answer is JSON; the caller says what it is instead.
    return null;
  }
}
