import { type Matcher, RE2JS } from 're2js';
import { nativeEquivalent } from './regex-native.ts';

/** Longest pattern that is compiled, in UTF-16 units. */
export const MAX_PATTERN_LENGTH = 4096;
/** Largest program, in instructions: the time for one character of input grows with it. */
export const MAX_PROGRAM_SIZE = 2000;

/** A regular expression of the configuration: RE2 syntax and semantics, time linear in the input. */
export interface Regex {
  readonly pattern: string;
  /** Whether it matches anywhere in `text` (unanchored, as Go's `MatchString`). */
  test(text: string): boolean;
  /** Where it first matches: `[start, end)` in UTF-16 units, or null (Go's `FindStringIndex`). */
  find(text: string): readonly [start: number, end: number] | null;
  /**
   * `text` with every match replaced (Go's `ReplaceAllString`). In the replacement `$1`, `${1}`, `$name` and `${name}`
   * are groups and `$$` is a dollar sign; `$1x` is the group named `1x`, and a group that does not exist is empty.
   */
  replace(text: string, replacement: string): string;
}

export type RegexResult =
  | { readonly ok: true; readonly regex: Regex }
  | { readonly ok: false; readonly message: string; readonly hint?: string };

const NOT_ASCII = /[^\x00-\x7f]/;

/** Compiles a pattern of the configuration. Never throws: what RE2 does not take comes back as a message. */
export function compileRegex(pattern: string): RegexResult {
  if (pattern.length > MAX_PATTERN_LENGTH) {
    return { ok: false, message: `the regular expression is longer than ${MAX_PATTERN_LENGTH} characters` };
  }
  let re2: RE2JS;
  try {
    re2 = RE2JS.compile(pattern);
    if (re2.programSize() > MAX_PROGRAM_SIZE) {
      return {
        ok: false,
        message: `the regular expression is too large (${re2.programSize()} instructions, at most ${MAX_PROGRAM_SIZE})`,
        hint: 'use smaller repeat counts',
      };
    }
  } catch (error) {
    return describe(pattern, error);
  }
  const native = nativeEquivalent(pattern);
  const regex: Regex = {
    pattern,
    test:
      native === undefined
        ? (text) => re2.test(text)
        : (text) => (NOT_ASCII.test(text) ? re2.test(text) : native.test(text)),
    find: (text) => {
      const matcher = re2.matcher(text);
      return matcher.find() ? [matcher.start(), matcher.end()] : null;
    },
    replace: (text, replacement) => replaceAll(re2.matcher(text), text, replacement),
  };
  return { ok: true, regex };
}

function describe(pattern: string, error: unknown): RegexResult {
  const text = error instanceof Error ? error.message : String(error);
  const message = `invalid regular expression: ${text.replace(/^error parsing regexp: /, '')}`;
  if (/\(\?<?[=!]/.test(pattern)) {
    return {
      ok: false,
      message,
      hint: 'RE2 has no lookahead and no lookbehind; combine matchers with && and ! instead',
    };
  }
  if (/\\[1-9]/.test(pattern)) return { ok: false, message, hint: 'RE2 has no backreferences' };
  return { ok: false, message };
}

/** Go's `Regexp.replaceAll`: an empty match that touches the match before it is not replaced. */
function replaceAll(matcher: Matcher, text: string, replacement: string): string {
  let out = '';
  let copied = 0;
  let from = 0;
  while (from <= text.length && matcher.find(from)) {
    const start = matcher.start();
    const end = matcher.end();
    out += text.slice(copied, start);
    if (end > copied || start === 0) out += expand(matcher, replacement);
    copied = end;
    // Always one code point further, so that an empty match cannot hold the loop.
    from = end > from ? end : from + ((text.codePointAt(from) ?? 0) > 0xffff ? 2 : 1);
  }
  return copied === 0 && out === '' ? text : out + text.slice(copied);
}

/** Go's `Regexp.Expand`. */
function expand(matcher: Matcher, replacement: string): string {
  if (!replacement.includes('$')) return replacement;
  return replacement.replace(
    /\$(?:(\$)|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/gu,
    (_whole, dollar: string | undefined, braced: string | undefined, bare: string | undefined) =>
      dollar ?? group(matcher, braced ?? bare ?? ''),
  );
}

function group(matcher: Matcher, name: string): string {
  if (/^[0-9]+$/.test(name)) {
    const index = Number(name);
    return index <= matcher.groupCount() ? (matcher.group(index) ?? '') : '';
  }
  return Object.hasOwn(matcher.pattern().namedGroups(), name) ? (matcher.group(name) ?? '') : '';
}
