import type { MatcherName, RuleKind } from './ast.ts';

interface MatcherShape {
  /** What the values are, for messages; a trailing `?` may be left out. */
  readonly values: readonly string[];
  readonly example: string;
}

const CLIENT_IP: MatcherShape = { values: ['address'], example: 'ClientIP(`10.0.0.0/8`)' };

const HTTP: Partial<Record<MatcherName, MatcherShape>> = {
  Host: { values: ['host'], example: 'Host(`example.com`)' },
  HostRegexp: { values: ['regular expression'], example: 'HostRegexp(`^.+\\.example\\.com$`)' },
  Path: { values: ['path'], example: 'Path(`/status`)' },
  PathPrefix: { values: ['path'], example: 'PathPrefix(`/api`)' },
  PathRegexp: { values: ['regular expression'], example: 'PathRegexp(`\\.(png|jpg)$`)' },
  Method: { values: ['method'], example: 'Method(`GET`)' },
  Header: { values: ['name', 'value'], example: 'Header(`X-Env`, `test`)' },
  HeaderRegexp: { values: ['name', 'regular expression'], example: 'HeaderRegexp(`User-Agent`, `^curl/`)' },
  Query: { values: ['name', 'value?'], example: 'Query(`env`, `test`)' },
  QueryRegexp: { values: ['name', 'regular expression?'], example: 'QueryRegexp(`env`, `^test`)' },
  ClientIP: CLIENT_IP,
};

const TCP: Partial<Record<MatcherName, MatcherShape>> = {
  HostSNI: { values: ['host'], example: 'HostSNI(`example.com`)' },
  HostSNIRegexp: { values: ['regular expression'], example: 'HostSNIRegexp(`^.+\\.example\\.com$`)' },
  ClientIP: CLIENT_IP,
  ALPN: { values: ['protocol'], example: 'ALPN(`h2`)' },
};

const SHAPES = { http: HTTP, tcp: TCP };

/** Each accepted spelling of each matcher: as documented, lower, UPPER, and Title case. */
const SPELLINGS: Readonly<Record<RuleKind, ReadonlyMap<string, MatcherName>>> = {
  http: spellings(HTTP),
  tcp: spellings(TCP),
};

function spellings(shapes: Partial<Record<MatcherName, MatcherShape>>): ReadonlyMap<string, MatcherName> {
  const all = new Map<string, MatcherName>();
  for (const name of Object.keys(shapes) as MatcherName[]) {
    const lower = name.toLowerCase();
    for (const spelling of [name, lower, name.toUpperCase(), lower.charAt(0).toUpperCase() + lower.slice(1)]) {
      all.set(spelling, name);
    }
  }
  return all;
}

/** The matcher that a word of a rule names. */
export function matcherName(word: string, kind: RuleKind): MatcherName | undefined {
  return SPELLINGS[kind].get(word);
}

export function matcherShape(name: MatcherName, kind: RuleKind): MatcherShape | undefined {
  return SHAPES[kind][name];
}

const TCP_FOR_HTTP: Readonly<Record<string, MatcherName>> = { host: 'HostSNI', hostregexp: 'HostSNIRegexp' };
const HTTP_FOR_TCP: Readonly<Record<string, MatcherName>> = { hostsni: 'Host', hostsniregexp: 'HostRegexp' };

/** What to say about a word that names no matcher of this kind of rule. */
export function unknownMatcherHint(word: string, kind: RuleKind): string {
  const lower = word.toLowerCase();
  const sibling = (kind === 'tcp' ? TCP_FOR_HTTP : HTTP_FOR_TCP)[lower];
  if (sibling !== undefined) return `in ${kind === 'tcp' ? 'a TCP' : 'an HTTP'} rule write ${sibling}`;
  const names = Object.keys(SHAPES[kind]);
  let best = '';
  let bestDistance = Math.min(3, Math.ceil(word.length / 2)) + 1;
  for (const name of names) {
    const d = distance(lower, name.toLowerCase());
    if (d < bestDistance) [best, bestDistance] = [name, d];
  }
  return best === '' ? `there are: ${names.join(', ')}` : `did you mean ${best}?`;
}

/** Levenshtein distance of short words; what is much longer than any matcher is far from all. */
function distance(a: string, b: string): number {
  if (a.length > 32) return a.length;
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(substitution, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    previous = row;
  }
  return previous[b.length] ?? 0;
}
