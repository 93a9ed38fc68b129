import type { IpStrategy, Middleware } from '../../core/config/dynamic.ts';
import type { Path } from '../../core/config/paths.ts';
import { compileRegex } from '../../core/regex.ts';
import { parseIpRange } from '../../core/rule/ip-range.ts';
import { checkLimits } from './check-limits.ts';
import type { Subject } from './findings.ts';

/** Checks the values of one middleware; what would make it fail at its first request is found here, with its place. */
export function checkMiddleware(config: Middleware, subject: Subject): void {
  const { addPrefix, redirectRegex, redirectScheme, replacePath, replacePathRegex, stripPrefixRegex, headers } = config;
  if (addPrefix !== undefined && addPrefix.prefix === '') needed(subject, ['addPrefix', 'prefix'], '/api');
  if (replacePath !== undefined && !replacePath.path.startsWith('/')) needed(subject, ['replacePath', 'path'], '/path');
  if (redirectScheme !== undefined) checkRedirectScheme(redirectScheme, subject);
  if (redirectRegex !== undefined) {
    checkRegex(redirectRegex.regex, ['redirectRegex', 'regex'], subject);
    if (redirectRegex.replacement === '') needed(subject, ['redirectRegex', 'replacement'], 'https://$1');
  }
  if (replacePathRegex !== undefined) checkRegex(replacePathRegex.regex, ['replacePathRegex', 'regex'], subject);
  stripPrefixRegex?.regex.forEach((regex, i) => {
    checkRegex(regex, ['stripPrefixRegex', 'regex', i], subject);
  });
  headers?.accessControlAllowOriginListRegex.forEach((regex, i) => {
    checkRegex(regex, ['headers', 'accessControlAllowOriginListRegex', i], subject);
  });
  checkLimits(config, subject);
  checkAllowList('ipAllowList', config.ipAllowList, subject);
  checkAllowList('ipWhiteList', config.ipWhiteList, subject);
  if (config.ipWhiteList !== undefined) {
    subject.warning('deprecated', '`ipWhiteList` is the old name of `ipAllowList`', {
      at: ['ipWhiteList'],
      hint: 'write `ipAllowList`',
    });
  }
  const rejectWith = config.ipAllowList?.rejectStatusCode;
  if (rejectWith !== undefined && (rejectWith < 200 || rejectWith > 599)) {
    subject.error('bad-value', `${rejectWith} is no status code to answer with`, {
      at: ['ipAllowList', 'rejectStatusCode'],
      value: true,
      hint: 'write for example 403',
    });
  }
}

function needed(subject: Subject, at: Path, example: string): void {
  subject.error('bad-value', `\`${at.join('.')}\` needs a value`, { at, hint: `for example ${example}` });
}

function checkRedirectScheme(config: NonNullable<Middleware['redirectScheme']>, subject: Subject): void {
  if (!/^[a-z][a-z0-9+.-]*$/i.test(config.scheme)) needed(subject, ['redirectScheme', 'scheme'], 'https');
  const { port } = config;
  if (port === undefined || port === '' || (/^\d{1,5}$/.test(port) && Number(port) <= 65_535)) return;
  subject.error('bad-value', `\`${port}\` is no port`, {
    at: ['redirectScheme', 'port'],
    value: true,
    hint: 'write for example "8443"',
  });
}

function checkRegex(pattern: string, at: Path, subject: Subject): void {
  if (pattern === '') {
    needed(subject, at, '^/api/(.*)');
    return;
  }
  const compiled = compileRegex(pattern);
  if (!compiled.ok) subject.error('bad-regex', compiled.message, { at, value: true, hint: compiled.hint });
}

function checkAllowList(
  kind: 'ipAllowList' | 'ipWhiteList',
  config: { readonly sourceRange: readonly string[]; readonly ipStrategy?: IpStrategy } | undefined,
  subject: Subject,
): void {
  if (config === undefined) return;
  if (config.sourceRange.length === 0) needed(subject, [kind, 'sourceRange'], '[10.0.0.0/8]');
  const check = (range: string, at: Path): void => {
    if (parseIpRange(range) !== undefined) return;
    const hint = 'write for example 10.0.0.0/8 or 10.0.0.13';
    subject.error('bad-ip-range', `\`${range}\` is no IP address or range`, { at, value: true, hint });
  };
  config.sourceRange.forEach((range, i) => {
    check(range, [kind, 'sourceRange', i]);
  });
  config.ipStrategy?.excludedIPs.forEach((range, i) => {
    check(range, [kind, 'ipStrategy', 'excludedIPs', i]);
  });
}
