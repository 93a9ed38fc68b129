import { type IpRange, inRange, parseIp, parseIpRange } from '../core/rule/ip-range.ts';

/** Whether the X-Forwarded-* headers of a peer are believed: the entry point's `forwardedHeaders`. */
export function compileTrust(config: {
  readonly insecure: boolean;
  readonly trustedIPs: readonly string[];
}): (address: string) => boolean {
  if (config.insecure) return () => true;
  const ranges = config.trustedIPs.map(parseIpRange).filter((range): range is IpRange => range !== undefined);
  if (ranges.length === 0) return () => false;
  return (address) => {
    const ip = parseIp(address);
    return ip !== undefined && ranges.some((range) => inRange(ip, range));
  };
}
