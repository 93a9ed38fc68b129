import type { InFlightReqMiddleware } from '../../core/config/middlewares.ts';
import { ProxyError } from '../../core/errors.ts';
import { sourceKey } from './source-key.ts';
import type { MiddlewareFactory } from './types.ts';

/**
 * At most `amount` requests at a time for each source, exact over all workers: the primary is asked about each. Who is over
 * it gets 429 at once; nobody waits.
 * @throws where `amount` is not positive, or the criterion is invalid
 */
export const inFlightReq: MiddlewareFactory<InFlightReqMiddleware> = (config, context) => {
  const { amount } = config;
  if (amount < 1) throw new Error(`inFlightReq.amount: ${amount} would refuse every request`);
  const keyOf = sourceKey(config.sourceCriterion, 'requestHost', 'inFlightReq.sourceCriterion');
  const { limits, scope } = context;
  if (limits === null) throw new Error('inFlightReq needs the primary to count');

  return (next) => (exchange) => {
    const id = limits.ask(scope, keyOf(exchange), amount, {
      onPermit: (granted) => {
        if (exchange.started) return;
        if (granted) {
          next(exchange);
          return;
        }
        exchange.error ??= new ProxyError(
          'CLIENT_IN_FLIGHT_LIMIT',
          `${context.name}: ${amount} requests are under way`,
        );
        exchange.replyText(429, `max connections reached: ${amount}`);
      },
    });
    exchange.onOver(() => limits.release(id));
  };
};
