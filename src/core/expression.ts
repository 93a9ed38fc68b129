/** What a function of an expression takes (numbers) and gives. */
export interface FunctionKind {
  readonly parameters: number;
  readonly gives: 'number' | 'text' | 'truth';
}

export interface Call {
  readonly kind: 'call';
  readonly name: string;
  readonly parameters: readonly number[];
}

export type Operator = '<' | '<=' | '>' | '>=' | '==' | '!=';

/** An expression of Traefik's circuit breaker and of `retryExpression`, read and checked. */
export type Expression =
  | { readonly kind: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'not'; readonly of: Expression }
  | { readonly kind: 'compare'; readonly call: Call; readonly operator: Operator; readonly value: number | string }
  | Call;

export type ParsedExpression =
  | { readonly ok: true; readonly expression: Expression }
  /** `at`: UTF-16 units from the start. */
  | { readonly ok: false; readonly message: string; readonly at: number };

const MAX_LENGTH = 1_000;
/** Deepest nesting of brackets and negations. */
const MAX_DEPTH = 50;

interface Token {
  readonly kind: 'name' | 'number' | 'text' | 'sign' | 'end';
  readonly text: string;
  readonly at: number;
}

const TOKEN =
  /\s*(?:(?<name>[A-Za-z_]\w*)|(?<number>\d+(?:\.\d+)?|\.\d+)|"(?<double>[^"]*)"|`(?<back>[^`]*)`|(?<sign>&&|\|\||[<>=!]=|[<>!(),]))/y;

class Problem extends Error {
  readonly at: number;
  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

/**
 * Reads an expression such as `NetworkErrorRatio() > 0.3 || LatencyAtQuantileMS(50.0) > 100`. `&&` binds tighter than `||`.
 * @param functions what may be called
 */
export function parseExpression(text: string, functions: Readonly<Record<string, FunctionKind>>): ParsedExpression {
  try {
    return { ok: true, expression: new Parser(tokensOf(text), functions).whole() };
  } catch (error) {
    if (error instanceof Problem) return { ok: false, message: error.message, at: error.at };
    throw error;
  }
}

/** Whether it holds. @param ask what a function gives now */
export function holds(expression: Expression, ask: (call: Call) => number | string | boolean): boolean {
  switch (expression.kind) {
    case 'and':
      return holds(expression.left, ask) && holds(expression.right, ask);
    case 'or':
      return holds(expression.left, ask) || holds(expression.right, ask);
    case 'not':
      return !holds(expression.of, ask);
    case 'call':
      return ask(expression) === true;
    case 'compare':
      return compare(ask(expression.call), expression.operator, expression.value);
  }
}

function compare(left: number | string | boolean, operator: Operator, right: number | string): boolean {
  switch (operator) {
    case '<':
      return left < right;
    case '<=':
      return left <= right;
    case '>':
      return left > right;
    case '>=':
      return left >= right;
    case '==':
      return left === right;
    case '!=':
      return left !== right;
  }
}

function tokensOf(text: string): Token[] {
  if (text.length > MAX_LENGTH) throw new Problem(`longer than ${MAX_LENGTH} characters`, 0);
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (match === null) break;
    const { name, number, double, back, sign } = match.groups!;
    const kind = name !== undefined ? 'name' : number !== undefined ? 'number' : sign !== undefined ? 'sign' : 'text';
    const start = at + (match[0].length - match[0].trimStart().length);
    tokens.push({ kind, text: name ?? number ?? double ?? back ?? sign!, at: start });
    at = TOKEN.lastIndex;
  }
  const rest = text.slice(at);
  const end = at + (rest.length - rest.trimStart().length);
  if (end < text.length) throw new Problem(`\`${text.slice(end, end + 10)}\` is not understood`, end);
  tokens.push({ kind: 'end', text: '', at: text.length });
  return tokens;
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #functions: Readonly<Record<string, FunctionKind>>;
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[], functions: Readonly<Record<string, FunctionKind>>) {
    this.#tokens = tokens;
    this.#functions = functions;
  }

  whole(): Expression {
    const expression = this.#or();
    const { kind, text, at } = this.#token;
    if (kind !== 'end') throw new Problem(`\`${text}\` does not belong here`, at);
    return expression;
  }

  get #token(): Token {
    return this.#tokens[this.#at]!;
  }

  #or(): Expression {
    let left = this.#and();
    while (this.#takes('||')) left = { kind: 'or', left, right: this.#and() };
    return left;
  }

  #and(): Expression {
    let left = this.#unary();
    while (this.#takes('&&')) left = { kind: 'and', left, right: this.#unary() };
    return left;
  }

  #unary(): Expression {
    if (++this.#depth > MAX_DEPTH) throw new Problem(`more than ${MAX_DEPTH} brackets`, this.#token.at);
    let expression: Expression;
    if (this.#takes('!')) {
      expression = { kind: 'not', of: this.#unary() };
    } else if (this.#takes('(')) {
      expression = this.#or();
      this.#expect(')');
    } else {
      expression = this.#comparison();
    }
    this.#depth--;
    return expression;
  }

  #comparison(): Expression {
    const { at } = this.#token;
    const call = this.#call();
    const { gives } = this.#functions[call.name]!;
    const token = this.#token;
    if (token.kind !== 'sign' || !/^(?:[<>]=?|[=!]=)$/.test(token.text)) {
      if (gives === 'truth') return call;
      throw new Problem(`${call.name}() must be compared with something`, at);
    }
    if (gives === 'truth') throw new Problem(`${call.name}() is true or false, and cannot be compared`, token.at);
    this.#at++;
    const operator = token.text as Operator;
    if (gives === 'text' && operator !== '==' && operator !== '!=')
      throw new Problem(`a text is compared with == or !=`, token.at);
    const value = this.#token;
    if (value.kind !== (gives === 'text' ? 'text' : 'number'))
      throw new Problem(
        `${call.name}() is compared with a ${gives === 'text' ? 'text in quotes' : 'number'}`,
        value.at,
      );
    this.#at++;
    return { kind: 'compare', call, operator, value: gives === 'text' ? value.text : Number(value.text) };
  }

  #call(): Call {
    const { kind, text: name, at } = this.#token;
    if (kind !== 'name' || !Object.hasOwn(this.#functions, name)) {
      const names = Object.keys(this.#functions).map((one) => `${one}()`);
      throw new Problem(
        kind === 'end' ? 'something is missing at the end' : `\`${name}\` is none of ${names.join(', ')}`,
        at,
      );
    }
    this.#at++;
    this.#expect('(');
    const parameters: number[] = [];
    while (this.#token.kind === 'number') {
      parameters.push(Number(this.#token.text));
      this.#at++;
      if (!this.#takes(',')) break;
    }
    this.#expect(')');
    const wanted = this.#functions[name]!.parameters;
    if (parameters.length !== wanted)
      throw new Problem(`${name}() takes ${wanted} numbers, not ${parameters.length}`, at);
    return { kind: 'call', name, parameters };
  }

  #takes(sign: string): boolean {
    const { kind, text } = this.#token;
    if (kind !== 'sign' || text !== sign) return false;
    this.#at++;
    return true;
  }

  #expect(sign: string): void {
    if (!this.#takes(sign)) throw new Problem(`\`${sign}\` is missing`, this.#token.at);
  }
}
