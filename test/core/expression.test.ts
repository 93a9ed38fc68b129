import { describe, expect, it } from 'vitest';
import { holds, parseExpression } from '../../src/core/expression.ts';
import { BREAKER_FUNCTIONS, RETRY_FUNCTIONS } from '../../src/core/expressions.ts';

function evaluate(text: string, values: Readonly<Record<string, number | string | boolean>>): boolean {
  const parsed = parseExpression(text, { ...BREAKER_FUNCTIONS, ...RETRY_FUNCTIONS });
  if (!parsed.ok) throw new Error(parsed.message);
  return holds(parsed.expression, ({ name }) => values[name]!);
}

describe('expressions', () => {
  it.each([
    ['NetworkErrorRatio() > 0.30', { NetworkErrorRatio: 0.31 }, true],
    ['NetworkErrorRatio() > 0.30', { NetworkErrorRatio: 0.3 }, false],
    ['NetworkErrorRatio()>=.3', { NetworkErrorRatio: 0.3 }, true],
    ['ResponseCodeRatio(500, 600, 0, 600) > 0.25', { ResponseCodeRatio: 0.5 }, true],
    ['LatencyAtQuantileMS(50.0) > 100', { LatencyAtQuantileMS: 101 }, true],
    ['IsNetworkError() && Attempts() <= 2', { IsNetworkError: true, Attempts: 2 }, true],
    ['IsNetworkError() && Attempts() <= 2', { IsNetworkError: true, Attempts: 3 }, false],
    ['!IsNetworkError()', { IsNetworkError: false }, true],
    ['RequestMethod() == "POST"', { RequestMethod: 'POST' }, true],
    ['RequestMethod() != `POST`', { RequestMethod: 'POST' }, false],
    // && binds tighter.
    ['Attempts() == 1 || Attempts() == 2 && ResponseCode() == 5', { Attempts: 1, ResponseCode: 0 }, true],
    ['(Attempts() == 1 || Attempts() == 2) && ResponseCode() == 5', { Attempts: 1, ResponseCode: 0 }, false],
  ])('%s, of %j: %s', (text, values, expected) => {
    expect(evaluate(text, values as Record<string, number>)).toBe(expected);
  });

  it.each([
    ['', 'something is missing at the end', 0],
    ['NetworkErrorRatio() >', 'NetworkErrorRatio() is compared with a number', 21],
    ['NetworkErrorRatio()', 'NetworkErrorRatio() must be compared with something', 0],
    ['NetworkErrorRatio > 1', '`(` is missing', 18],
    ['Nope() > 1', '`Nope` is none of NetworkErrorRatio(), ResponseCodeRatio(), LatencyAtQuantileMS()', 0],
    ['toString() > 1', '`toString` is none of NetworkErrorRatio(), ResponseCodeRatio(), LatencyAtQuantileMS()', 0],
    ['ResponseCodeRatio(500, 600) > 1', 'ResponseCodeRatio() takes 4 numbers, not 2', 0],
    ['NetworkErrorRatio() > "1"', 'NetworkErrorRatio() is compared with a number', 22],
    ['NetworkErrorRatio() > 1 and', '`and` does not belong here', 24],
    ['NetworkErrorRatio() > 1 %', '`%` is not understood', 24],
    ['(NetworkErrorRatio() > 1', '`)` is missing', 24],
    ['('.repeat(100), 'more than 50 brackets', 50],
    [`NetworkErrorRatio() > 1${' '.repeat(1000)}`, 'longer than 1000 characters', 0],
  ])('says what is wrong with %s', (text, message, at) => {
    expect(parseExpression(text, BREAKER_FUNCTIONS)).toEqual({ ok: false, message, at });
  });
});
