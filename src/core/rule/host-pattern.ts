import { normalizeHost } from '../host.ts';

/** What a `Host` value stands for. */
export type HostPattern =
  | { readonly type: 'any' }
  | { readonly type: 'exact'; readonly host: string }
  /** One label and then `.suffix`. */
  | { readonly type: 'wildcard'; readonly suffix: string }
  /** No host is ever equal to it: it names a port. */
  | { readonly type: 'none' };

export function hostPattern(value: string): HostPattern {
  if (value === '*') return { type: 'any' };
  let host = value.toLowerCase();
  if (host.endsWith('.')) host = host.slice(0, -1);
  if (host.startsWith('*.')) return { type: 'wildcard', suffix: host.slice(2) };
  // A port in the rule never matches, since requests are compared without theirs; a bracketed address is compared bare.
  if (host.startsWith('[') && host.endsWith(']')) return { type: 'exact', host: host.slice(1, -1) };
  return host !== '' && normalizeHost(host) === host ? { type: 'exact', host } : { type: 'none' };
}

/** What stands after the first label of a host; undefined where there is no label, or none after it. */
export function hostSuffix(host: string): string | undefined {
  const dot = host.indexOf('.');
  return dot <= 0 ? undefined : host.slice(dot + 1);
}
