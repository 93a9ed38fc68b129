import type { IpAllowListMiddleware, IpWhiteListMiddleware } from '../../core/config/middlewares.ts';
import { type Peer, reasonOf } from '../exchange.ts';
import { clientAddress } from './client-address.ts';
import { isIn, parseRanges } from './ip-ranges.ts';
import type { MiddlewareFactory } from './types.ts';

/**
 * Lets only the given addresses pass.
 * @throws where the list is empty, an address is none, or the status cannot be answered
 */
export const ipAllowList: MiddlewareFactory<IpAllowListMiddleware> = (config) => {
  if (config.sourceRange.length === 0) throw new Error('ipAllowList.sourceRange is empty: nobody could pass');
  const ranges = parseRanges(config.sourceRange, 'ipAllowList.sourceRange');
  const status = config.rejectStatusCode;
  if (status < 200 || status > 599 || reasonOf(status) === 'Status') {
    throw new Error(`ipAllowList.rejectStatusCode: ${status} is not an HTTP status that can be answered`);
  }
  const address = clientAddress(config.ipStrategy, 'ipAllowList.ipStrategy');
  const text = reasonOf(status);
  // A connection's address does not change: one verdict for all its requests. Goes with the connection.
  const verdicts = new WeakMap<Peer, boolean>();

  return (next) => (exchange) => {
    let allowed: boolean | undefined;
    if (address.perConnection) allowed = verdicts.get(exchange.peer);
    if (allowed === undefined) {
      const ip = address.of(exchange);
      allowed = ip !== undefined && isIn(ip, ranges);
      if (address.perConnection) verdicts.set(exchange.peer, allowed);
    }
    if (allowed) next(exchange);
    else exchange.replyText(status, text);
  };
};

/** The name of version 2. */
export const ipWhiteList: MiddlewareFactory<IpWhiteListMiddleware> = (config, context) =>
  ipAllowList({ ...config, rejectStatusCode: 403 }, context);
