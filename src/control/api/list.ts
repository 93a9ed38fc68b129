import { type Answer, json, problem } from './answer.ts';

const DEFAULT_PER_PAGE = 100;

/** How the objects of one list are searched and sorted. */
export interface Listing<T extends { readonly name: string }> {
  /** What `search` looks into. */
  readonly texts: (item: T) => readonly string[];
  /** What `sortBy` may name, beside `name`. */
  readonly keys: Readonly<Record<string, (item: T) => string | number>>;
  /** Further conditions of the query. */
  readonly keep?: (item: T, query: URLSearchParams) => boolean;
  readonly view: (item: T) => unknown;
}

/**
 * Answers with one page of a list, as Traefik does: `search`, `status`, `sortBy`, `direction`, `page`, `per_page`; the
 * header `X-Next-Page` names the page that follows, and is 1 behind the last one.
 */
export function listAnswer<T extends { readonly name: string; readonly status?: string }>(
  items: Iterable<T>,
  query: URLSearchParams,
  listing: Listing<T>,
): Answer {
  const perPage = wholeNumber(query, 'per_page', DEFAULT_PER_PAGE);
  const page = wholeNumber(query, 'page', 1);
  if (perPage === null) return problem(400, `invalid request: per_page: ${query.get('per_page')}`);
  if (page === null) return problem(400, `invalid request: page: ${query.get('page')}`);

  const found = sorted(filtered(items, query, listing), query, listing);
  const start = (page - 1) * perPage;
  if (start > 0 && start >= found.length) {
    return problem(400, `invalid request: page: ${page}, per_page: ${perPage}`);
  }
  const next = page * perPage < found.length ? page + 1 : 1;
  return json(found.slice(start, start + perPage).map(listing.view), { 'X-Next-Page': String(next) });
}

/** null where it is not a whole number above 0. */
function wholeNumber(query: URLSearchParams, key: string, otherwise: number): number | null {
  const text = query.get(key) ?? '';
  if (text === '') return otherwise;
  const value = Number(text);
  return /^\d{1,9}$/.test(text) && value > 0 ? value : null;
}

function filtered<T extends { readonly name: string; readonly status?: string }>(
  items: Iterable<T>,
  query: URLSearchParams,
  { texts, keep }: Listing<T>,
): T[] {
  const search = (query.get('search') ?? '').toLowerCase();
  const status = (query.get('status') ?? '').toLowerCase();
  return [...items].filter(
    (item) =>
      (status === '' || item.status === status) &&
      (search === '' || texts(item).some((text) => text.toLowerCase().includes(search))) &&
      (keep === undefined || keep(item, query)),
  );
}

function sorted<T extends { readonly name: string }>(items: T[], query: URLSearchParams, { keys }: Listing<T>): T[] {
  const sortBy = query.get('sortBy') ?? '';
  const key = Object.hasOwn(keys, sortBy) ? keys[sortBy] : undefined;
  const direction = (query.get('direction') || 'asc') === 'asc' ? 1 : -1;
  return items.sort((a, b) => direction * ((key && compare(key(a), key(b))) || compare(a.name, b.name)));
}

function compare(a: string | number, b: string | number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
