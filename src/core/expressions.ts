import type { FunctionKind } from './expression.ts';

/** What a circuit breaker's `expression` may ask. */
export const BREAKER_FUNCTIONS = {
  NetworkErrorRatio: { parameters: 0, gives: 'number' },
  ResponseCodeRatio: { parameters: 4, gives: 'number' },
  LatencyAtQuantileMS: { parameters: 1, gives: 'number' },
} as const satisfies Record<string, FunctionKind>;

/** What a `retryExpression` of `buffering` may ask. */
export const RETRY_FUNCTIONS = {
  Attempts: { parameters: 0, gives: 'number' },
  ResponseCode: { parameters: 0, gives: 'number' },
  IsNetworkError: { parameters: 0, gives: 'truth' },
  RequestMethod: { parameters: 0, gives: 'text' },
} as const satisfies Record<string, FunctionKind>;
