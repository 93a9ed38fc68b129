import { createHash } from 'node:crypto';
import type { Sticky } from '../../core/config/dynamic.ts';
import { cookieOf } from '../cookies.ts';
import type { Exchange } from '../exchange.ts';
import type { HeaderList } from '../headers/header-list.ts';
import type { Candidate } from './types.ts';

/** A candidate that clients can be bound to. */
interface Bindable extends Candidate {
  readonly state: Candidate['state'] & {
    /** Whether clients that are bound to it may go on. */
    readonly reachable: boolean;
  };
}

/**
 * Binds a client to the server that answered it first, by a cookie, as Traefik does: the same name and value, so that a
 * client who comes from there keeps its server. Who is bound goes on while the server drains or has weight 0; where it
 * cannot be reached another one answers, and the cookie is set anew.
 */
export class StickyCookie<T extends Bindable = Bindable> {
  readonly #name: string;
  readonly #attributes: string;
  readonly #byValue = new Map<string, T>();

  /** @param service qualified name; the cookie's own name is made of it where none is configured */
  constructor(cookie: NonNullable<Sticky['cookie']>, service: string, candidates: readonly T[]) {
    this.#name = cookie.name === undefined || cookie.name === '' ? defaultName(service) : cookie.name;
    this.#attributes = attributesOf(cookie);
    for (const candidate of candidates) this.#byValue.set(cookieValue(candidate.url), candidate);
  }

  /** Whom the client is bound to, if it can answer. */
  find(exchange: Exchange): T | null {
    const value = cookieOf(exchange.headers, this.#name);
    if (value === null) return null;
    const candidate = this.#byValue.get(value);
    return candidate?.state.reachable === true ? candidate : null;
  }

  /** Sets the cookie on a response, unless the client has it already. */
  bind(exchange: Exchange, candidate: T, headers: HeaderList): void {
    const value = cookieValue(candidate.url);
    if (cookieOf(exchange.headers, this.#name) === value) return;
    headers.append('Set-Cookie', `${this.#name}=${value}${this.#attributes}`);
  }
}

const values = new Map<string, string>();
const MAX_VALUES = 10_000;

/** The first 16 hex digits of the SHA-256 of a server's URL, or of a service's name. */
function cookieValue(url: string): string {
  let value = values.get(url);
  if (value === undefined) {
    if (values.size > MAX_VALUES) values.clear();
    value = createHash('sha256').update(url).digest('hex').slice(0, 16);
    values.set(url, value);
  }
  return value;
}

/** As Traefik names the cookie of a service that gives none: `_` and the start of a SHA-1. */
function defaultName(service: string): string {
  return `_${createHash('sha1').update(`_TRAEFIK_BACKEND_${service}`).digest('hex').slice(0, 5)}`;
}

function attributesOf(cookie: NonNullable<Sticky['cookie']>): string {
  const { path, domain, maxAge, httpOnly, secure, sameSite } = cookie;
  let text = `; Path=${path}`;
  if (domain !== undefined && domain !== '') text += `; Domain=${domain}`;
  if (maxAge > 0) text += `; Max-Age=${maxAge}`;
  else if (maxAge < 0) text += '; Max-Age=0';
  if (httpOnly) text += '; HttpOnly';
  if (secure) text += '; Secure';
  if (sameSite !== undefined) text += `; SameSite=${sameSite[0]!.toUpperCase()}${sameSite.slice(1)}`;
  return text;
}
