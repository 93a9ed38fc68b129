import type { Affinity } from '../../core/config/dynamic.ts';
import { findJsonField, type JsonField } from '../body/json-field.ts';
import { peekBody } from '../body/peek-body.ts';
import { cookieOf } from '../cookies.ts';
import type { Exchange } from '../exchange.ts';
import { hashText } from './hash.ts';
import { Rendezvous } from './rendezvous.ts';
import type { Balancer, Endpoint } from './types.ts';

/** No key: the service's strategy chooses. */
export const NO_AFFINITY = -1;

/** Fields that hold what a model is asked, in the order in which they are looked for. */
const PROMPTS = ['messages', 'prompt', 'input'];

/**
 * Requests with the same key go to the same server, so that it finds in its cache what it knows (the KV cache of a model's
 * prompt); but a server that has more than `loadFactor` times its share of the requests under way is passed over for the
 * next in the key's own order: consistent hashing with bounded load. Requests without a key are balanced by the strategy.
 */
export class AffinityBalancer implements Balancer {
  readonly candidates: readonly Endpoint[];
  readonly measures: boolean;
  /** What balances requests without a key. */
  readonly inner: Balancer;
  readonly #rendezvous: Rendezvous<Endpoint>;
  readonly #factor: number;
  /** Requests that a server of weight 1 may have now. */
  #bound = 0;

  constructor(inner: Balancer, loadFactor: number) {
    this.inner = inner;
    this.candidates = inner.candidates;
    this.measures = inner.measures;
    this.#rendezvous = new Rendezvous(inner.candidates);
    this.#factor = loadFactor;
  }

  pick(exchange: Exchange, tried: readonly Endpoint[] | null): Endpoint | null {
    const key = exchange.affinityKey;
    if (key === NO_AFFINITY) return this.inner.pick(exchange, tried);
    let weights = 0;
    let inFlight = 1;
    for (const { weight, state } of this.candidates) {
      if (weight === 0 || !state.available) continue;
      weights += weight;
      inFlight += state.inFlight;
    }
    this.#bound = (this.#factor * inFlight) / weights;
    return this.#rendezvous.pickFor(key, tried, this.#isFull);
  }

  readonly #isFull = ({ weight, state }: Endpoint): boolean => state.inFlight >= Math.ceil(this.#bound * weight);
}

/** Finds the key of a request, then goes on: at once, or when enough of the body has come. */
export function withAffinity(affinity: Affinity, exchange: Exchange, next: () => void): void {
  const { header, cookie, bodyField, promptPrefix } = affinity;
  if (header !== undefined) exchange.affinityKey = keyOf(exchange.headers.get(header.toLowerCase()));
  else if (cookie !== undefined) exchange.affinityKey = keyOf(cookieOf(exchange.headers, cookie) ?? undefined);
  else if (bodyField !== undefined || promptPrefix !== undefined) {
    const fields = bodyField !== undefined ? [bodyField] : PROMPTS;
    const bytes = promptPrefix ?? Number.POSITIVE_INFINITY;
    peekBody(
      exchange,
      affinity.maxBodyBytes,
      (text) => fields.some((name) => isEnough(text, findJsonField(text, name), bytes)) || isOver(text, fields),
      (text) => {
        exchange.affinityKey = bodyKey(text, fields, bytes);
        next();
      },
    );
    return;
  }
  next();
}

function keyOf(value: string | undefined): number {
  return value === undefined || value === '' ? NO_AFFINITY : hashText(value);
}

function isEnough(text: Buffer, field: JsonField, bytes: number): boolean {
  return field.kind === 'found' || (field.kind === 'begun' && text.length - field.start >= bytes);
}

function isOver(text: Buffer, fields: readonly string[]): boolean {
  return fields.every((name) => findJsonField(text, name).kind === 'absent');
}

/** Of the first of the fields that is there, as far as it has come. */
function bodyKey(text: Buffer, fields: readonly string[], bytes: number): number {
  for (const name of fields) {
    const field = findJsonField(text, name);
    if (field.kind !== 'found' && field.kind !== 'begun') continue;
    const end = Math.min(field.kind === 'found' ? field.end : text.length, field.start + bytes);
    return hashText(text.toString('latin1', field.start, end));
  }
  return NO_AFFINITY;
}
