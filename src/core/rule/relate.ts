import { compileRegex, type Regex } from '../regex.ts';
import type { RuleMatcher } from './ast.ts';
import { hostPattern, hostSuffix } from './host-pattern.ts';
import { type IpRange, inRange, parseIpRange } from './ip-range.ts';

/** Regular expressions of one comparison of rules, by pattern; null where one does not compile. */
export type Regexes = Map<string, Regex | null>;

/** Whether every request that meets `a` meets `b`. False where that cannot be told. */
export function matcherImplies(a: RuleMatcher, b: RuleMatcher, regexes: Regexes): boolean {
  if (a.kind === b.kind && a.value === b.value && keyOf(a) === keyOf(b)) return true;
  const test = (pattern: string, text: string): boolean => regexOf(pattern, regexes)?.test(text) === true;
  switch (b.kind) {
    case 'Host': {
      const wanted = hostPattern(b.value);
      if (a.kind !== 'Host') return false;
      const given = hostPattern(a.value);
      if (given.type === 'exact') {
        if (wanted.type === 'exact') return wanted.host === given.host;
        return wanted.type === 'wildcard' && hostSuffix(given.host) === wanted.suffix;
      }
      return given.type === 'wildcard' && wanted.type === 'wildcard' && given.suffix === wanted.suffix;
    }
    case 'HostRegexp': {
      if (a.kind !== 'Host') return false;
      const given = hostPattern(a.value);
      return given.type === 'exact' && test(b.value, given.host);
    }
    case 'Path':
      return false;
    case 'PathPrefix':
      return (a.kind === 'Path' || a.kind === 'PathPrefix') && a.value.startsWith(b.value);
    case 'PathRegexp':
      return a.kind === 'Path' && test(b.value, a.value);
    case 'Method':
      return a.kind === 'Method' && a.value.toUpperCase() === b.value.toUpperCase();
    case 'ClientIP':
      return a.kind === 'ClientIP' && relateRanges(a.value, b.value) === 'inside';
    case 'HeaderRegexp':
      return a.kind === 'Header' && keyOf(a) === keyOf(b) && keyOf(a) !== 'host' && test(b.value, a.value);
    case 'Query':
      return a.kind === 'Query' && a.key === b.key && (a.value ?? '') === (b.value ?? '');
    case 'QueryRegexp':
      return a.kind === 'Query' && a.key === b.key && b.value !== undefined && test(b.value, a.value ?? '');
    default:
      return false;
  }
}

/** Whether no request meets both. False where that cannot be told. */
export function matchersExclude(a: RuleMatcher, b: RuleMatcher, regexes: Regexes): boolean {
  return excludes(a, b, regexes) || excludes(b, a, regexes);
}

function excludes(a: RuleMatcher, b: RuleMatcher, regexes: Regexes): boolean {
  const fails = (pattern: string, text: string): boolean => regexOf(pattern, regexes)?.test(text) === false;
  switch (a.kind) {
    case 'Host': {
      const given = hostPattern(a.value);
      if (b.kind === 'HostRegexp') return given.type === 'exact' && fails(b.value, given.host);
      if (b.kind !== 'Host' || given.type === 'any' || given.type === 'none') return false;
      const other = hostPattern(b.value);
      if (other.type === 'exact') {
        return given.type === 'exact' ? given.host !== other.host : hostSuffix(other.host) !== given.suffix;
      }
      return other.type === 'wildcard' && given.type === 'wildcard' && given.suffix !== other.suffix;
    }
    case 'Path':
      if (b.kind === 'Path') return a.value !== b.value;
      if (b.kind === 'PathPrefix') return !a.value.startsWith(b.value);
      return b.kind === 'PathRegexp' && fails(b.value, a.value);
    case 'PathPrefix':
      return b.kind === 'PathPrefix' && !a.value.startsWith(b.value) && !b.value.startsWith(a.value);
    case 'Method':
      return b.kind === 'Method' && a.value.toUpperCase() !== b.value.toUpperCase();
    case 'ClientIP':
      return b.kind === 'ClientIP' && relateRanges(a.value, b.value) === 'apart';
    default:
      return false;
  }
}

function keyOf(matcher: RuleMatcher): string | undefined {
  if (!('key' in matcher)) return undefined;
  // The names of headers have no case, those of parameters do.
  return matcher.kind === 'Header' || matcher.kind === 'HeaderRegexp' ? matcher.key.toLowerCase() : matcher.key;
}

function relateRanges(a: string, b: string): 'inside' | 'apart' | 'unknown' {
  const [one, other] = [parseIpRange(a), parseIpRange(b)];
  if (one === undefined || other === undefined) return 'unknown';
  if (one.words.length !== other.words.length) return 'apart';
  const [shorter, longer] = bits(one) <= bits(other) ? [one, other] : [other, one];
  if (!inRange(longer.words, shorter)) return 'apart';
  return shorter === other || bits(one) === bits(other) ? 'inside' : 'unknown';
}

/** The length of a prefix. */
function bits(range: IpRange): number {
  // A mask's ones stand left: they are as many as its complement has leading zeros.
  return range.masks.reduce((sum, mask) => sum + Math.clz32(~mask), 0);
}

/** To compile one costs as much as hundreds of comparisons. Those beyond are taken as unknown. */
const MAX_REGEXES = 256;

function regexOf(pattern: string, regexes: Regexes): Regex | null {
  let regex = regexes.get(pattern);
  if (regex === undefined) {
    if (regexes.size >= MAX_REGEXES) return null;
    const compiled = compileRegex(pattern);
    regex = compiled.ok ? compiled.regex : null;
    regexes.set(pattern, regex);
  }
  return regex;
}
