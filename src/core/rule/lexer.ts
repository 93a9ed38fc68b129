import type { RuleProblem } from './problem.ts';

export type TokenType = 'name' | 'string' | '(' | ')' | ',' | '&&' | '||' | '!' | 'end';

export interface Token {
  readonly type: TokenType;
  /** The name, or the value of the string after its escapes. */
  readonly text: string;
  /** UTF-16 units from the start of the rule. */
  readonly offset: number;
  readonly end: number;
}

/** Thrown inside the parser alone, and caught by it: a rule that cannot be read further. */
export class RuleSyntaxError extends Error {
  readonly problem: RuleProblem;

  constructor(offset: number, message: string, hint?: string, code: RuleProblem['code'] = 'rule-syntax') {
    super(message);
    this.problem = hint === undefined ? { offset, message, code } : { offset, message, hint, code };
  }
}

const SPACE = /[ \t\r\n]*/y;
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;

/** Reads the token that starts at or after `from`. Strings are Go's: raw in backticks, or escaped in double quotes. */
export function nextToken(rule: string, from: number): Token {
  SPACE.lastIndex = from;
  SPACE.test(rule);
  const offset = SPACE.lastIndex;
  if (offset >= rule.length) return { type: 'end', text: '', offset, end: offset };
  const c = rule.charAt(offset);
  switch (c) {
    case '(':
    case ')':
    case ',':
    case '!':
      return { type: c, text: c, offset, end: offset + 1 };
    case '&':
    case '|': {
      const operator = c === '&' ? '&&' : '||';
      if (rule.charAt(offset + 1) !== c) throw new RuleSyntaxError(offset, `a single "${c}"`, `write ${operator}`);
      return { type: operator, text: operator, offset, end: offset + 2 };
    }
    case '`':
      return rawString(rule, offset);
    case '"':
      return quotedString(rule, offset);
  }
  NAME.lastIndex = offset;
  if (NAME.test(rule)) {
    return { type: 'name', text: rule.slice(offset, NAME.lastIndex), offset, end: NAME.lastIndex };
  }
  if (/['‘’´“”]/.test(c)) {
    throw new RuleSyntaxError(offset, `a value cannot stand in ${c}`, 'put values in backticks: Host(`example.com`)');
  }
  const shown = String.fromCodePoint(rule.codePointAt(offset) ?? 0);
  throw new RuleSyntaxError(
    offset,
    `unexpected ${JSON.stringify(shown)}`,
    'put values in backticks: Host(`example.com`)',
  );
}

function rawString(rule: string, offset: number): Token {
  const close = rule.indexOf('`', offset + 1);
  if (close === -1)
    throw new RuleSyntaxError(offset, 'the backtick that opens here is never closed', 'add a backtick after the value');
  // Go drops carriage returns from raw strings.
  return { type: 'string', text: rule.slice(offset + 1, close).replaceAll('\r', ''), offset, end: close + 1 };
}

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
};
const NUMBER_ESCAPE = /x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})/y;

/** An interpreted string literal: https://go.dev/ref/spec#String_literals. `\x` and octal escapes are bytes of UTF-8. */
function quotedString(rule: string, offset: number): Token {
  let text = '';
  let bytes: number[] = [];
  const flush = () => {
    if (bytes.length === 0) return;
    try {
      text += new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes));
    } catch {
      throw new RuleSyntaxError(offset, 'the byte escapes of this string are not UTF-8');
    }
    bytes = [];
  };
  let at = offset + 1;
  for (;;) {
    const c = rule.charAt(at);
    if (c === '' || c === '\n') {
      throw new RuleSyntaxError(
        offset,
        'the double quote that opens here is never closed',
        'add a double quote after the value',
      );
    }
    if (c !== '\\') {
      flush();
      if (c === '"') return { type: 'string', text, offset, end: at + 1 };
      text += c;
      at++;
      continue;
    }
    const simple = SIMPLE_ESCAPES[rule.charAt(at + 1)];
    if (simple !== undefined) {
      flush();
      text += simple;
      at += 2;
      continue;
    }
    NUMBER_ESCAPE.lastIndex = at + 1;
    const [, hex, octal, short, long] = NUMBER_ESCAPE.exec(rule) ?? [];
    const byte =
      hex !== undefined ? Number.parseInt(hex, 16) : octal !== undefined ? Number.parseInt(octal, 8) : undefined;
    const point = Number.parseInt(short ?? long ?? '', 16);
    if (byte !== undefined && byte <= 0xff) {
      bytes.push(byte);
    } else if (point <= 0x10ffff && !(point >= 0xd800 && point <= 0xdfff)) {
      flush();
      text += String.fromCodePoint(point);
    } else {
      throw new RuleSyntaxError(
        at,
        `unknown escape ${rule.slice(at, at + 2)} in a double-quoted string`,
        'put the value in backticks, where a backslash is only a backslash',
      );
    }
    at = NUMBER_ESCAPE.lastIndex;
  }
}
