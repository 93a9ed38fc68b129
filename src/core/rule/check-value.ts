import { domainToASCII } from 'node:url';
import { hasPort } from '../host.ts';
import { compileRegex } from '../regex.ts';
import { matchForm } from '../request-path.ts';
import type { MatcherName } from './ast.ts';
import { parseIpRange } from './ip-range.ts';
import { printCall } from './print.ts';
import type { RuleProblem } from './problem.ts';

/** A problem without its place, and whether the rule can be used all the same. */
export interface ValueProblem extends Omit<RuleProblem, 'offset'> {
  readonly severity: 'error' | 'warning';
  /** Which value. */
  readonly index: number;
}

type Finding = Omit<ValueProblem, 'index'> | undefined;

/** Checks the values of one call; their number is already right. */
export function checkValues(name: MatcherName, values: readonly string[]): readonly ValueProblem[] {
  const problems: ValueProblem[] = [];
  const [first = '', second] = values;
  const add = (index: number, finding: Finding) => {
    if (finding !== undefined) problems.push({ ...finding, index });
  };
  switch (name) {
    case 'Host':
      add(0, checkHost(first));
      break;
    case 'HostSNI':
      add(0, checkHostSni(first));
      break;
    case 'HostRegexp':
    case 'HostSNIRegexp':
      add(0, checkAscii(name, first) ?? checkRegex(first));
      break;
    case 'Path':
    case 'PathPrefix':
      add(0, checkPath(name, first));
      break;
    case 'PathRegexp':
      add(0, checkRegex(first));
      break;
    case 'Method':
      add(0, checkMethod(first));
      break;
    case 'Header':
    case 'HeaderRegexp':
      add(0, checkHeaderName(first));
      if (name === 'HeaderRegexp') add(1, checkRegex(second ?? ''));
      break;
    case 'QueryRegexp':
      if (second !== undefined) add(1, checkRegex(second));
      break;
    case 'Query':
      break;
    case 'ClientIP':
      add(0, checkAddress(first));
      break;
    case 'ALPN':
      if (first === 'acme-tls/1') add(0, error('`acme-tls/1` is used by the proxy itself for ACME challenges'));
      break;
  }
  return problems;
}

function error(message: string, hint?: string): Finding {
  return { severity: 'error', code: 'rule-value', message, ...(hint !== undefined && { hint }) };
}

function neverMatches(message: string, hint?: string): Finding {
  return { severity: 'warning', code: 'rule-never-matches', message, ...(hint !== undefined && { hint }) };
}

function checkAscii(name: string, value: string): Finding {
  if (/^[\x00-\x7f]*$/.test(value)) return undefined;
  const ascii = name === 'HostRegexp' || name === 'HostSNIRegexp' ? '' : domainToASCII(value);
  const hint = ascii === '' ? 'write its punycode form (xn--…)' : `write ${printCall(name, [ascii])}`;
  return error(`the host \`${value}\` has characters that are not ASCII; requests carry it as punycode`, hint);
}

function checkHost(host: string): Finding {
  const ascii = checkAscii('Host', host);
  if (ascii !== undefined) return ascii;
  if (host === '') return neverMatches('an empty host matches nothing');
  const scheme = /^[a-z]+:\/\/([^/]*)/i.exec(host);
  if (scheme !== null) return neverMatches('a host has no scheme', `write ${printCall('Host', [scheme[1] ?? ''])}`);
  if (host.includes('/')) {
    const slash = host.indexOf('/');
    return neverMatches(
      'a host has no path',
      `write ${printCall('Host', [host.slice(0, slash)])} && ${printCall('PathPrefix', [host.slice(slash)])}`,
    );
  }
  if (hasPort(host)) {
    const hint = `write ${printCall('Host', [host.replace(/:[^:]*$/, '')])}; the port belongs to the entry point`;
    return neverMatches(
      `the host \`${host}\` names a port, and the port of a request is left out before it is compared`,
      hint,
    );
  }
  if (/[\s,]/.test(host))
    return neverMatches('a host has neither spaces nor commas', 'one host each: Host(`a`) || Host(`b`)');
  const wildcard = host.lastIndexOf('*');
  if (wildcard > 0 || (wildcard === 0 && host !== '*' && !/^\*\.[^.]/.test(host))) {
    return neverMatches(
      'a wildcard stands for the whole first label only: `*.example.com`',
      'use HostRegexp for other patterns',
    );
  }
  return undefined;
}

function checkHostSni(host: string): Finding {
  const ascii = checkAscii('HostSNI', host);
  if (ascii !== undefined) return ascii;
  if (host === '*' || /^(\*\.)?[A-Za-z0-9.-]+$/.test(host)) return undefined;
  return error(`\`${host}\` is not a host name`, 'HostSNI takes a host name or `*`; HostSNIRegexp takes a pattern');
}

function checkRegex(pattern: string): Finding {
  const result = compileRegex(pattern);
  return result.ok ? undefined : error(result.message, result.hint);
}

function checkPath(name: 'Path' | 'PathPrefix', path: string): Finding {
  if (!path.startsWith('/')) {
    return error(`the path \`${path}\` does not start with a slash`, `write ${printCall(name, [`/${path}`])}`);
  }
  if (/[?#]/.test(path)) {
    return neverMatches(
      'a path has neither `?` nor `#`',
      path.includes('?') ? 'use Query for the query string' : undefined,
    );
  }
  const form = matchForm(path);
  if (form !== undefined && form !== path) {
    return neverMatches('the path of a request is decoded before it is compared', `write ${printCall(name, [form])}`);
  }
  return undefined;
}

// https://www.iana.org/assignments/http-methods, the ones that are met.
const METHODS = new Set(
  (
    'GET HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK SEARCH REPORT ' +
    'MKCALENDAR ACL BIND REBIND UNBIND LINK UNLINK CHECKIN CHECKOUT MERGE QUERY PURGE NOTIFY SUBSCRIBE UNSUBSCRIBE M-SEARCH'
  ).split(' '),
);
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

function checkMethod(method: string): Finding {
  if (!TOKEN.test(method))
    return error(`\`${method}\` is not an HTTP method`, 'one method each: Method(`GET`) || Method(`HEAD`)');
  if (METHODS.has(method.toUpperCase())) return undefined;
  return {
    severity: 'warning',
    code: 'rule-suspicious',
    message: `\`${method}\` is no HTTP method that is known here`,
  };
}

function checkHeaderName(name: string): Finding {
  if (!TOKEN.test(name)) return error(`\`${name}\` is not a header name`);
  if (name.toLowerCase() === 'host')
    return neverMatches('the Host header is not seen by Header', 'use Host or HostRegexp');
  return undefined;
}

function checkAddress(value: string): Finding {
  if (parseIpRange(value) !== undefined) return undefined;
  return error(
    `\`${value}\` is neither an IP address nor a range`,
    'write it like `10.0.0.1`, `10.0.0.0/8` or `fd00::/8`',
  );
}
