import type { RuleKind, RuleMatcher, RuleNode } from './ast.ts';
import { checkValues } from './check-value.ts';
import { nextToken, RuleSyntaxError, type Token } from './lexer.ts';
import { matcherName, matcherShape, unknownMatcherHint } from './names.ts';
import type { RuleProblem } from './problem.ts';
import { recogniseV2 } from './v2.ts';

/** Longest rule, in UTF-16 units. */
export const MAX_RULE_LENGTH = 65_536;
/** Deepest nesting of parentheses and negations. */
export const MAX_RULE_DEPTH = 64;

export type ParsedRule =
  | { readonly ok: true; readonly ast: RuleNode; readonly warnings: readonly RuleProblem[] }
  | { readonly ok: false; readonly problems: readonly RuleProblem[] };

/**
 * Reads a rule of Traefik's rule language, version 3: matchers joined with `&&`, `||`, `!` and parentheses, `!` binding
 * strongest and `||` weakest. Never throws. All wrong values are reported together, a broken syntax up to where it broke.
 */
export function parseRule(rule: string, kind: RuleKind): ParsedRule {
  if (rule.length > MAX_RULE_LENGTH) {
    const message = `the rule is longer than ${MAX_RULE_LENGTH} characters`;
    return {
      ok: false,
      problems: [{ offset: 0, message, hint: 'split it into several routers', code: 'rule-too-large' }],
    };
  }
  const parser = new RuleParser(rule, kind);
  try {
    const ast = parser.parse();
    if (ast !== undefined && parser.errors.length === 0) return { ok: true, ast, warnings: parser.warnings };
  } catch (error) {
    if (!(error instanceof RuleSyntaxError)) throw error;
    parser.errors.push(error.problem);
  }
  return { ok: false, problems: [...parser.errors, ...parser.warnings] };
}

/** Recursive descent. A node is undefined where its call is wrong: the error is noted and reading goes on. */
class RuleParser {
  readonly errors: RuleProblem[] = [];
  readonly warnings: RuleProblem[] = [];
  readonly #rule: string;
  readonly #kind: RuleKind;
  #token: Token;
  #depth = 0;

  constructor(rule: string, kind: RuleKind) {
    this.#rule = rule;
    this.#kind = kind;
    this.#token = { type: 'end', text: '', offset: 0, end: 0 };
  }

  parse(): RuleNode | undefined {
    this.#advance();
    if (this.#is('end')) throw new RuleSyntaxError(0, 'the rule is empty', this.#example());
    const node = this.#or();
    if (!this.#is('end')) throw this.#unexpectedAfterMatcher();
    return node;
  }

  #is(type: Token['type']): boolean {
    return this.#token.type === type;
  }

  #advance(): Token {
    const current = this.#token;
    this.#token = nextToken(this.#rule, current.end);
    return current;
  }

  #or(): RuleNode | undefined {
    return this.#list('or', '||', () => this.#and());
  }

  #and(): RuleNode | undefined {
    return this.#list('and', '&&', () => this.#unary());
  }

  #list(kind: 'and' | 'or', operator: '&&' | '||', operand: () => RuleNode | undefined): RuleNode | undefined {
    const first = operand();
    if (!this.#is(operator)) return first;
    const nodes = [first];
    while (this.#is(operator)) {
      this.#advance();
      nodes.push(operand());
    }
    const children: RuleNode[] = [];
    for (const node of nodes) {
      if (node === undefined) return undefined;
      if (node.kind === kind) children.push(...node.children);
      else children.push(node);
    }
    return { kind, children };
  }

  #unary(): RuleNode | undefined {
    const { type, offset, text } = this.#token;
    if (type === '!' || type === '(') {
      if (++this.#depth > MAX_RULE_DEPTH) {
        throw new RuleSyntaxError(
          offset,
          `the rule is nested deeper than ${MAX_RULE_DEPTH}`,
          undefined,
          'rule-too-large',
        );
      }
      this.#advance();
      const node = type === '!' ? this.#negated() : this.#parenthesised(offset);
      this.#depth--;
      return node;
    }
    if (type === 'name') return this.#call();
    throw this.#expectedMatcher(type, offset, text);
  }

  #negated(): RuleNode | undefined {
    const child = this.#unary();
    return child === undefined ? undefined : { kind: 'not', child };
  }

  #parenthesised(open: number): RuleNode | undefined {
    const node = this.#or();
    if (this.#is('end')) throw new RuleSyntaxError(open, 'this parenthesis is never closed', 'add a )');
    if (!this.#is(')')) throw this.#unexpectedAfterMatcher();
    this.#advance();
    return node;
  }

  #call(): RuleNode | undefined {
    const name = this.#advance();
    if (!this.#is('(')) {
      const operator = { and: '&&', or: '||', not: '!' }[name.text.toLowerCase()];
      if (operator !== undefined)
        throw new RuleSyntaxError(name.offset, `"${name.text}" is no operator`, `write ${operator}`);
      const hint = `write ${matcherName(name.text, this.#kind) ?? name.text}(\`…\`)`;
      throw new RuleSyntaxError(this.#token.offset, `expected ( after ${name.text}`, hint);
    }
    const open = this.#advance();
    const args: Token[] = [];
    while (!this.#is(')')) {
      if (!this.#is('string')) throw this.#expectedValue(name, open);
      args.push(this.#advance());
      if (this.#is(',')) this.#advance();
      else if (!this.#is(')')) throw this.#expectedValueEnd(name, open);
    }
    const close = this.#advance();
    return this.#matcher(name, args, close.end);
  }

  #matcher(name: Token, args: readonly Token[], end: number): RuleMatcher | undefined {
    const values = args.map((arg) => arg.text);
    const v2 = recogniseV2(name.text, values);
    if (v2 !== undefined) {
      const whole = this.#rule.slice(0, name.offset).trim() === '' && this.#rule.slice(end).trim() === '';
      const rewrite = !whole && v2.rewrite.includes(' || ') ? `(${v2.rewrite})` : v2.rewrite;
      const advice = values.length > 1 && v2.rewrite.includes(' || ') ? 'one value each, write' : 'write';
      this.errors.push({
        offset: name.offset,
        message: v2.message,
        hint: `${advice} ${rewrite}`,
        code: 'rule-v2-syntax',
      });
      return undefined;
    }
    const kind = matcherName(name.text, this.#kind);
    const shape = kind === undefined ? undefined : matcherShape(kind, this.#kind);
    if (kind === undefined || shape === undefined) {
      const message = `there is no matcher ${name.text} in ${this.#kind === 'tcp' ? 'TCP' : 'HTTP'} rules`;
      const hint = unknownMatcherHint(name.text, this.#kind);
      this.errors.push({ offset: name.offset, message, hint, code: 'rule-unknown-matcher' });
      return undefined;
    }
    const least = shape.values.filter((value) => !value.endsWith('?')).length;
    if (values.length < least || values.length > shape.values.length) {
      const wanted = least === shape.values.length ? `${least}` : `${least} or ${shape.values.length}`;
      const what = shape.values.map((value) => value.replace('?', ' if any')).join(', ');
      const message = `${kind} takes ${wanted} value${wanted === '1' ? '' : 's'} (${what}), ${values.length} given`;
      this.errors.push({ offset: name.offset, message, hint: `for example ${shape.example}`, code: 'rule-value' });
      return undefined;
    }
    for (const { severity, index, ...problem } of checkValues(kind, values)) {
      const list = severity === 'error' ? this.errors : this.warnings;
      list.push({ ...problem, offset: args[index]?.offset ?? name.offset });
    }
    const [first = '', second] = values;
    switch (kind) {
      case 'Header':
      case 'HeaderRegexp':
        return { kind, key: first, value: second ?? '' };
      case 'Query':
      case 'QueryRegexp':
        return second === undefined ? { kind, key: first } : { kind, key: first, value: second };
      default:
        return { kind, value: first };
    }
  }

  #example(): string {
    return this.#kind === 'tcp' ? 'for example HostSNI(`example.com`)' : 'for example Host(`example.com`)';
  }

  #expectedMatcher(type: Token['type'], offset: number, text: string): RuleSyntaxError {
    if (type === 'string')
      return new RuleSyntaxError(
        offset,
        'a value without its matcher',
        `write ${text.startsWith('/') ? 'PathPrefix' : 'Host'}(\`${text}\`)`,
      );
    const found = type === 'end' ? 'the rule ends' : `"${type}" stands`;
    return new RuleSyntaxError(offset, `${found} where a matcher is expected`, this.#example());
  }

  #expectedValue(name: Token, open: Token): RuleSyntaxError {
    const { offset, type } = this.#token;
    if (type === 'end') return new RuleSyntaxError(open.offset, 'this parenthesis is never closed', 'add a )');
    const bare = /^[^`"(),\s]+/.exec(this.#rule.slice(offset))?.[0];
    if (bare === undefined) return new RuleSyntaxError(offset, `"${type}" stands where a value is expected`);
    return new RuleSyntaxError(offset, 'a value must stand in backticks', `write ${name.text}(\`${bare}\`)`);
  }

  #expectedValueEnd(name: Token, open: Token): RuleSyntaxError {
    const { offset, type } = this.#token;
    if (type === 'end') return new RuleSyntaxError(open.offset, 'this parenthesis is never closed', 'add a )');
    const hint = type === '||' ? `write ${name.text}(\`a\`) || ${name.text}(\`b\`)` : 'add a ) after the value';
    return new RuleSyntaxError(offset, `expected ) after the value of ${name.text}`, hint);
  }

  #unexpectedAfterMatcher(): RuleSyntaxError {
    const { offset, type, text } = this.#token;
    if (type === ')') return new RuleSyntaxError(offset, 'this parenthesis closes nothing', 'remove the )');
    const operator = { and: '&&', or: '||' }[text.toLowerCase()];
    const hint = operator === undefined ? 'join matchers with && or ||' : `write ${operator}`;
    return new RuleSyntaxError(offset, `expected && or || before ${type === 'name' ? text : 'this'}`, hint);
  }
}
