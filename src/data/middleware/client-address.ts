import type { IpStrategy } from '../../core/config/middlewares.ts';
import { type IpWords, parseIp } from '../../core/rule/ip-range.ts';
import type { Exchange } from '../exchange.ts';
import { H } from '../headers/known.ts';
import { isIn, parseRanges } from './ip-ranges.ts';

/** How a middleware finds the address of who asks. */
export interface ClientAddress {
  /** Whether it is the same for all requests of a connection. */
  readonly perConnection: boolean;
  /** Undefined where there is none that could be believed: to be treated as nobody's. */
  of(exchange: Exchange): IpWords | undefined;
}

/**
 * The address that an `ipStrategy` selects: with `depth` the nth of X-Forwarded-For from the right, with `excludedIPs` the
 * first from the right that is not one of them, else the peer. X-Forwarded-For counts only from a trusted peer, and all its
 * lines count as one list: to read the first line alone would believe the one the client wrote itself.
 * @param where the option, for messages
 * @throws where the strategy is invalid
 */
export function clientAddress(strategy: IpStrategy | undefined, where: string): ClientAddress {
  const depth = strategy?.depth ?? 0;
  if (depth < 0) throw new Error(`${where}.depth: ${depth} is negative`);
  const subnet = strategy?.ipv6Subnet;
  if (subnet !== undefined && (subnet < 1 || subnet > 128)) {
    throw new Error(`${where}.ipv6Subnet: ${subnet} is not between 1 and 128`);
  }
  const masked = (ip: IpWords | undefined): IpWords | undefined =>
    ip === undefined || subnet === undefined ? ip : mask(ip, subnet);

  if (depth > 0) {
    return {
      perConnection: false,
      of: (exchange) => {
        const hops = forwardedFor(exchange);
        return masked(hops.length < depth ? undefined : parseHop(hops[hops.length - depth]!));
      },
    };
  }
  const excluded = strategy?.excludedIPs ?? [];
  if (excluded.length > 0) {
    const ranges = parseRanges(excluded, `${where}.excludedIPs`);
    return {
      perConnection: false,
      of: (exchange) => {
        const hops = forwardedFor(exchange);
        for (let i = hops.length - 1; i >= 0; i--) {
          if (hops[i]!.trim() === '') continue;
          const ip = parseHop(hops[i]!);
          // What is no address ends the search: what stands further left was written by someone we do not know.
          if (ip === undefined || !isIn(ip, ranges)) return ip;
        }
        return undefined;
      },
    };
  }
  return { perConnection: true, of: (exchange) => masked(parseIp(exchange.peer.address)) };
}

const NO_HOPS: readonly string[] = [];

function forwardedFor(exchange: Exchange): readonly string[] {
  if (!exchange.peer.trusted) return NO_HOPS;
  const joined = exchange.headers.joinKnown(H.X_FORWARDED_FOR);
  return joined === undefined ? NO_HOPS : joined.split(',');
}

/** Some proxies write the port too: `10.0.0.1:4711`, `[fd00::1]:4711`. */
function parseHop(text: string): IpWords | undefined {
  const hop = text.trim();
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(hop);
  if (bracketed !== null) return parseIp(bracketed[1]!);
  const colon = hop.indexOf(':');
  return parseIp(colon !== -1 && colon === hop.lastIndexOf(':') ? hop.slice(0, colon) : hop);
}

/** The first address of the IPv6 subnet; IPv4 stays. */
function mask(ip: IpWords, bits: number): IpWords {
  if (ip.length !== 4) return ip;
  return ip.map((word, i) => {
    const keep = Math.min(32, Math.max(0, bits - 32 * i));
    return keep === 0 ? 0 : (word & (-1 << (32 - keep))) >>> 0;
  });
}
