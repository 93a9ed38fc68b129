import { printCall } from './print.ts';

/** What a call written for version 2 of the rule language is in version 3. */
export interface V2Finding {
  readonly message: string;
  /** The same meaning in version 3. */
  readonly rewrite: string;
}

const RENAMED: Readonly<Record<string, string>> = {
  hostheader: 'Host',
  headers: 'Header',
  headersregexp: 'HeaderRegexp',
};
const MANY_VALUES: Readonly<Record<string, string>> = {
  host: 'Host',
  hostheader: 'Host',
  method: 'Method',
  clientip: 'ClientIP',
  hostsni: 'HostSNI',
  alpn: 'ALPN',
};
const HOST_REGEXPS: Readonly<Record<string, string>> = { hostregexp: 'HostRegexp', hostsniregexp: 'HostSNIRegexp' };
const PATHS: Readonly<Record<string, string>> = { path: 'Path', pathprefix: 'PathPrefix' };

/**
 * Recognises version 2 of the rule language, where matchers took several values and templates (`{name:regexp}`), and
 * says what to write. Version 3 refuses some of it and takes some for something that matches nothing. Undefined where
 * the call does not look like version 2.
 */
export function recogniseV2(word: string, values: readonly string[]): V2Finding | undefined {
  const lower = word.toLowerCase();
  const several = values.length > 1;
  const hostRegexp = HOST_REGEXPS[lower];
  const path = PATHS[lower];
  if (hostRegexp !== undefined && (several || values.some(isTemplate))) {
    const rewrite = either(
      values.map((v) => printCall(hostRegexp, [isTemplate(v) ? templateRegexp(v, '[^.]+', '$') : v])),
    );
    return { message: several ? oneValue(hostRegexp, values) : templateMessage(values), rewrite };
  }
  if (path !== undefined && (several || values.some(isTemplate))) {
    const end = path === 'Path' ? '$' : '';
    const rewrite = either(
      values.map((v) =>
        isTemplate(v) ? printCall('PathRegexp', [templateRegexp(v, '[^/]+', end)]) : printCall(path, [v]),
      ),
    );
    return { message: several ? oneValue(path, values) : templateMessage(values), rewrite };
  }
  const renamed = RENAMED[lower];
  const many = MANY_VALUES[lower];
  if (many !== undefined && (several || (renamed !== undefined && values.length === 1))) {
    const message = renamed === undefined ? oneValue(many, values) : `${word} is version 2 of the rule language`;
    return { message, rewrite: either(values.map((v) => printCall(many, [v]))) };
  }
  if (renamed !== undefined && values.length === 2) {
    return { message: `${word} is version 2 of the rule language`, rewrite: printCall(renamed, values) };
  }
  if (lower === 'query' && values.length > 0 && values.every((v) => /^[^=]+=/.test(v))) {
    return {
      message: 'Query takes name and value apart (version 2 of the rule language took `name=value`)',
      rewrite: values.map(queryCall).join(' && '),
    };
  }
  return undefined;
}

function oneValue(name: string, values: readonly string[]): string {
  return `${name} takes one value, ${values.length} are given (version 2 of the rule language took several)`;
}

function templateMessage(values: readonly string[]): string {
  const template = values.find(isTemplate) ?? '';
  return `\`${template}\` is a template of version 2 of the rule language; in version 3 its braces are literal and match nothing`;
}

function either(calls: readonly string[]): string {
  return calls.join(' || ');
}

function queryCall(pair: string): string {
  const equals = pair.indexOf('=');
  const [name, value] = [pair.slice(0, equals), pair.slice(equals + 1)];
  if (isTemplate(value)) return printCall('QueryRegexp', [name, templateRegexp(value, '.*', '$')]);
  return printCall('Query', value === '' ? [name] : [name, value]);
}

// `{name}` or `{name:regexp}`, but neither `\p{Greek}`, `\x{41}` nor the counts of `a{2,3}`.
const VARIABLE = /(?<!\\[pPx])\{([A-Za-z_][\w-]*)(:|\})/;

function isTemplate(value: string): boolean {
  return VARIABLE.test(value);
}

/** The regular expression of a version 2 template: literals quoted, variables by their own pattern. */
function templateRegexp(template: string, defaultPattern: string, end: '$' | ''): string {
  let pattern = '^';
  let rest = template;
  for (;;) {
    const match = VARIABLE.exec(rest);
    if (match === null) return `${pattern}${quote(rest)}${end}`;
    pattern += quote(rest.slice(0, match.index));
    const afterName = match.index + match[0].length;
    if (match[2] === '}') {
      pattern += defaultPattern;
      rest = rest.slice(afterName);
      continue;
    }
    const close = closingBrace(rest, afterName);
    const own = rest.slice(afterName, close);
    // An alternative binds weaker than what stands around it.
    pattern += own.includes('|') && !/^\([^()]*\)$/.test(own) ? `(${own})` : own;
    rest = rest.slice(close + 1);
  }
}

function closingBrace(text: string, from: number): number {
  let depth = 1;
  for (let i = from; i < text.length; i++) {
    if (text[i] === '{') depth++;
    if (text[i] === '}' && --depth === 0) return i;
  }
  return text.length;
}

function quote(literal: string): string {
  return literal.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&');
}
