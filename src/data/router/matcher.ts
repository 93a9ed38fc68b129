import { compileRegex, type Regex } from '../../core/regex.ts';
import { someQueryValue } from '../../core/request-path.ts';
import type { RuleMatcher, RuleNode } from '../../core/rule/ast.ts';
import { hostPattern, hostSuffix } from '../../core/rule/host-pattern.ts';
import { type IpWords, inRange, parseIp, parseIpRange } from '../../core/rule/ip-range.ts';
import { printMatcher } from '../../core/rule/print.ts';
import type { RouteRequest } from './request.ts';

/** Decides whether a request meets a condition. */
export type Predicate = (request: RouteRequest) => boolean;

/**
 * Matchers compiled so far, by their text. Equal matchers share one predicate: one regular expression for the many hosts
 * that a rule is filed under, and one place in the processor's caches for a ``PathPrefix(`/api`)`` of 10,000 routers. It
 * lives as long as one compilation. (Not a module-wide WeakMap: every minor garbage collection would visit it.)
 */
export type CompiledMatchers = Map<string, Predicate>;

const never: Predicate = () => false;

/** Compiles a checked rule, or what is left of it. Throws where a value is invalid: the parser lets none through. */
export function compilePredicate(node: RuleNode, done: CompiledMatchers): Predicate {
  switch (node.kind) {
    case 'and': {
      const [a = never, b = never, ...rest] = node.children.map((child) => compilePredicate(child, done));
      if (rest.length === 0) return (request) => a(request) && b(request);
      return (request) => a(request) && b(request) && rest.every((predicate) => predicate(request));
    }
    case 'or': {
      const [a = never, b = never, ...rest] = node.children.map((child) => compilePredicate(child, done));
      if (rest.length === 0) return (request) => a(request) || b(request);
      return (request) => a(request) || b(request) || rest.some((predicate) => predicate(request));
    }
    case 'not': {
      const negated = compilePredicate(node.child, done);
      return (request) => !negated(request);
    }
    default:
      return memoized(node, done);
  }
}

function memoized(matcher: RuleMatcher, done: CompiledMatchers): Predicate {
  const text = printMatcher(matcher);
  let predicate = done.get(text);
  if (predicate === undefined) {
    predicate = compileMatcher(matcher);
    done.set(text, predicate);
  }
  return predicate;
}

function compileMatcher(matcher: RuleMatcher): Predicate {
  switch (matcher.kind) {
    case 'Host':
      return compileHost(matcher.value);
    case 'HostRegexp': {
      const regex = regexOf(matcher.value);
      return (request) => regex.test(request.host);
    }
    case 'Path': {
      const path = matcher.value;
      return (request) => request.path === path;
    }
    case 'PathPrefix': {
      const prefix = matcher.value;
      return (request) => request.path.startsWith(prefix);
    }
    case 'PathRegexp': {
      const regex = regexOf(matcher.value);
      return (request) => regex.test(request.path);
    }
    case 'Method': {
      const method = matcher.value.toUpperCase();
      return (request) => request.method === method;
    }
    case 'Header': {
      const { value } = matcher;
      return compileHeader(matcher.key, (candidate) => candidate === value);
    }
    case 'HeaderRegexp': {
      const regex = regexOf(matcher.value);
      return compileHeader(matcher.key, (candidate) => regex.test(candidate));
    }
    case 'Query':
      return compileQuery(matcher.key, matcher.value ?? '');
    case 'QueryRegexp': {
      const { key } = matcher;
      if (matcher.value === undefined) return compileQuery(key, '');
      const regex = regexOf(matcher.value);
      return (request) => someQueryValue(request.query, key, (value) => regex.test(value));
    }
    case 'ClientIP': {
      const range = parseIpRange(matcher.value);
      if (range === undefined) throw new TypeError(`not an address range: ${matcher.value}`);
      return (request) => {
        const ip = clientAddress(request.clientIp);
        return ip !== undefined && inRange(ip, range);
      };
    }
    case 'HostSNI':
    case 'HostSNIRegexp':
    case 'ALPN':
      throw new TypeError(`${matcher.kind} is no matcher of HTTP rules`);
  }
}

function compileHost(value: string): Predicate {
  const pattern = hostPattern(value);
  switch (pattern.type) {
    case 'any':
      return () => true;
    case 'none':
      return never;
    case 'exact': {
      const { host } = pattern;
      return (request) => request.host === host;
    }
    case 'wildcard': {
      const { suffix } = pattern;
      return (request) => hostSuffix(request.host) === suffix;
    }
  }
}

function compileHeader(name: string, test: (value: string) => boolean): Predicate {
  const lower = name.toLowerCase();
  // Go takes the Host header out of the header map, so a rule on it has never matched.
  if (lower === 'host') return never;
  return (request) => {
    const first = request.header(lower);
    return first !== undefined && (test(first) || request.headerValues(lower).some(test));
  };
}

function compileQuery(key: string, value: string): Predicate {
  const test = (candidate: string) => candidate === value;
  return (request) => request.query !== '' && someQueryValue(request.query, key, test);
}

function regexOf(pattern: string): Regex {
  const result = compileRegex(pattern);
  if (!result.ok) throw new TypeError(`${result.message}: ${pattern}`);
  return result.regex;
}

// One entry: the rules of a lookup all ask for the same address.
let lastText = '';
let lastAddress: IpWords | undefined;

function clientAddress(text: string): IpWords | undefined {
  if (text !== lastText) {
    lastAddress = parseIp(text);
    lastText = text;
  }
  return lastAddress;
}
