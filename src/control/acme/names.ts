import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import { normalizeHost } from '../../core/host.ts';
import { canonicalAddress } from '../tls/certificate-names.ts';

/** The names of one certificate, without repetition; the first is the main one. */
export type NameSet = readonly [string, ...string[]];

/** Names as a CA takes them: lower case, ASCII, without a trailing dot; addresses in their canonical form. Null: there is none. */
export function nameSet(main: string, sans: readonly string[]): NameSet | null {
  const names = [...new Set([main, ...sans].map(canonicalName).filter((name) => name !== ''))];
  const [first, ...rest] = names;
  return first === undefined ? null : [first, ...rest];
}

/** The same for two sets that ask for the same certificate of the same resolver. */
export function setKey(resolver: string, names: readonly string[]): string {
  return JSON.stringify([resolver, ...[...names].sort()]);
}

export interface Identifier {
  readonly type: 'dns' | 'ip';
  readonly value: string;
}

/** RFC 8555 section 7.1.3, RFC 8738 section 3. */
export function identifier(name: string): Identifier {
  return { type: isIP(name) === 0 ? 'dns' : 'ip', value: name };
}

/** What a CA sends as SNI for a tls-alpn-01 challenge: for an address its reverse-mapping name (RFC 8738 section 6). */
export function alpnServerName(name: string): string {
  switch (isIP(name)) {
    case 4:
      return `${name.split('.').reverse().join('.')}.in-addr.arpa`;
    case 6:
      return `${[...expandIPv6(name)].reverse().join('.')}.ip6.arpa`;
    default:
      return name;
  }
}

function canonicalName(name: string): string {
  const trimmed = name.trim();
  const address = canonicalAddress(trimmed.replace(/^\[(.*)\]$/, '$1'));
  if (address !== null) return address;
  const host = normalizeHost(trimmed);
  if (!host.startsWith('*.')) return domainToASCII(host) || host;
  const parent = host.slice(2);
  return `*.${domainToASCII(parent) || parent}`;
}

/** The 32 hexadecimal digits of an IPv6 address. */
function expandIPv6(address: string): string {
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [left = '', right] = canonical.split('::');
  const groups = (text: string | undefined): string[] => (text ?? '').split(':').filter((group) => group !== '');
  const head = groups(left);
  const tail = groups(right);
  const zeros = new Array<string>(8 - head.length - tail.length).fill('0');
  return [...head, ...zeros, ...tail].map((group) => group.padStart(4, '0')).join('');
}
