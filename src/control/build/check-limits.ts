import type {
  BufferingMiddleware,
  CircuitBreakerMiddleware,
  Middleware,
  SourceCriterion,
} from '../../core/config/dynamic.ts';
import type { Path } from '../../core/config/paths.ts';
import { type FunctionKind, parseExpression } from '../../core/expression.ts';
import { BREAKER_FUNCTIONS, RETRY_FUNCTIONS } from '../../core/expressions.ts';
import { parseIpRange } from '../../core/rule/ip-range.ts';
import type { Subject } from './findings.ts';

/** Checks what middlewares limit, and by what they tell sources apart. */
export function checkLimits(config: Middleware, subject: Subject): void {
  const { inFlightReq, rateLimit, circuitBreaker, buffering } = config;
  if (circuitBreaker !== undefined) checkBreaker(circuitBreaker, subject);
  if (buffering !== undefined) checkBuffering(buffering, subject);
  if (inFlightReq !== undefined) {
    if (inFlightReq.amount < 1) {
      subject.error('bad-value', `\`inFlightReq.amount\` is ${inFlightReq.amount}: every request would be refused`, {
        at: ['inFlightReq', 'amount'],
        value: true,
        hint: 'write how many requests may be under way at a time, for example 10',
      });
    }
    checkCriterion(inFlightReq.sourceCriterion, ['inFlightReq', 'sourceCriterion'], subject);
  }
  if (rateLimit === undefined) return;
  checkCriterion(rateLimit.sourceCriterion, ['rateLimit', 'sourceCriterion'], subject);
  if (rateLimit.average < 0) negative(subject, ['rateLimit', 'average'], '100');
  if (rateLimit.period < 0) negative(subject, ['rateLimit', 'period'], '1s');
  if (rateLimit.redis !== undefined) {
    subject.warning('not-implemented', '`rateLimit.redis` is not used: the limit holds for this proxy alone', {
      at: ['rateLimit', 'redis'],
      hint: 'all its workers share one count',
    });
  }
}

function checkBreaker(config: CircuitBreakerMiddleware, subject: Subject): void {
  checkExpression(config.expression, ['circuitBreaker', 'expression'], BREAKER_FUNCTIONS, subject);
  for (const key of ['checkPeriod', 'fallbackDuration', 'recoveryDuration'] as const) {
    if (config[key] > 0) continue;
    subject.error('bad-value', `\`circuitBreaker.${key}\` is not positive`, {
      at: ['circuitBreaker', key],
      value: true,
      hint: 'write for example 10s',
    });
  }
  const { responseCode } = config;
  if (responseCode >= 200 && responseCode <= 599) return;
  subject.error('bad-value', `${responseCode} is no status code to answer with`, {
    at: ['circuitBreaker', 'responseCode'],
    value: true,
    hint: 'write for example 503',
  });
}

function checkBuffering(config: BufferingMiddleware, subject: Subject): void {
  for (const key of BYTES) if (config[key] < 0) negative(subject, ['buffering', key], '1048576');
  const { retryExpression = '' } = config;
  if (retryExpression !== '')
    checkExpression(retryExpression, ['buffering', 'retryExpression'], RETRY_FUNCTIONS, subject);
}

const BYTES = ['maxRequestBodyBytes', 'memRequestBodyBytes', 'maxResponseBodyBytes', 'memResponseBodyBytes'] as const;

/** Checks an expression over what `functions` give; the finding points into it. */
function checkExpression(
  text: string,
  at: Path,
  functions: Readonly<Record<string, FunctionKind>>,
  subject: Subject,
): void {
  const parsed = parseExpression(text, functions);
  if (parsed.ok) return;
  const hint = 'for example NetworkErrorRatio() > 0.3';
  const retryHint = 'for example IsNetworkError() && Attempts() < 3';
  subject.error('bad-expression', `\`${at.join('.')}\`: ${parsed.message}`, {
    at,
    ...(text === '' ? {} : { offset: parsed.at, inside: text }),
    hint: Object.hasOwn(functions, 'Attempts') ? retryHint : hint,
  });
}

function negative(subject: Subject, at: Path, example: string): void {
  subject.error('bad-value', `\`${at.join('.')}\` is negative`, {
    at,
    value: true,
    hint: `write for example ${example}`,
  });
}

function checkCriterion(criterion: SourceCriterion | undefined, at: Path, subject: Subject): void {
  if (criterion === undefined) return;
  const { ipStrategy, requestHeaderName = '', requestHost } = criterion;
  const said = [
    ...(ipStrategy === undefined ? [] : ['ipStrategy']),
    ...(requestHeaderName === '' ? [] : ['requestHeaderName']),
    ...(requestHost ? ['requestHost'] : []),
  ];
  if (said.length > 1) {
    subject.error('bad-value', `${said.join(' and ')} exclude each other`, {
      at: [...at, said[1]!],
      hint: 'sources are told apart by one of them',
    });
  }
  if (ipStrategy === undefined) return;
  if (ipStrategy.depth < 0) negative(subject, [...at, 'ipStrategy', 'depth'], '1');
  ipStrategy.excludedIPs.forEach((range, i) => {
    if (parseIpRange(range) !== undefined) return;
    subject.error('bad-ip-range', `\`${range}\` is no IP address or range`, {
      at: [...at, 'ipStrategy', 'excludedIPs', i],
      value: true,
      hint: 'write for example 10.0.0.0/8 or 10.0.0.13',
    });
  });
  const subnet = ipStrategy.ipv6Subnet;
  if (subnet === undefined || (subnet >= 1 && subnet <= 128)) return;
  subject.error('bad-value', `\`${subnet}\` is no prefix length of IPv6`, {
    at: [...at, 'ipStrategy', 'ipv6Subnet'],
    value: true,
    hint: 'write for example 64',
  });
}
