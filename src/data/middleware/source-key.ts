import { hash } from 'node:crypto';
import type { SourceCriterion } from '../../core/config/middlewares.ts';
import type { Exchange } from '../exchange.ts';
import { clientAddress } from './client-address.ts';
import { fieldName } from './config-value.ts';

/** Who a request is counted for; the empty key is all those who cannot be told apart. */
export type SourceKey = (exchange: Exchange) => string;

/**
 * Tells sources apart as a `sourceCriterion` says.
 * @param otherwise where it says nothing
 * @param where the option, for messages
 * @throws where it says two things, or the strategy is invalid
 */
export function sourceKey(
  criterion: SourceCriterion | undefined,
  otherwise: 'requestHost' | 'peer',
  where: string,
): SourceKey {
  const { ipStrategy, requestHeaderName = '', requestHost = false } = criterion ?? {};
  const said = [ipStrategy !== undefined, requestHeaderName !== '', requestHost].filter(Boolean).length;
  if (said > 1) throw new Error(`${where}: ipStrategy, requestHeaderName and requestHost exclude each other`);
  if (requestHeaderName !== '') {
    const name = fieldName(requestHeaderName, `${where}.requestHeaderName`).toLowerCase();
    return (exchange) => {
      const value = exchange.headers.get(name);
      // It may be a secret, and long: it leaves this process, and stays in memory, only as a hash.
      return value === undefined || value === '' ? '' : hash('sha256', value, 'base64url');
    };
  }
  if (requestHost || (ipStrategy === undefined && otherwise === 'requestHost')) return (exchange) => exchange.host;
  const address = clientAddress(ipStrategy, `${where}.ipStrategy`);
  if (address.perConnection && ipStrategy?.ipv6Subnet === undefined) return (exchange) => exchange.peer.address;
  return (exchange) => address.of(exchange)?.join('.') ?? '';
}
