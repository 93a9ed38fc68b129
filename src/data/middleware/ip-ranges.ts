import { type IpRange, type IpWords, inRange, parseIpRange } from '../../core/rule/ip-range.ts';

/** @throws where one is neither an address nor a range */
export function parseRanges(texts: readonly string[], where: string): readonly IpRange[] {
  return texts.map((text) => {
    const range = parseIpRange(text.trim());
    if (range === undefined) {
      throw new Error(`${where}: ${JSON.stringify(text)} is no IP address and no range such as 10.0.0.0/8`);
    }
    return range;
  });
}

/** Whether an address is in one of the ranges. */
export function isIn(ip: IpWords, ranges: readonly IpRange[]): boolean {
  for (let i = 0; i < ranges.length; i++) if (inRange(ip, ranges[i]!)) return true;
  return false;
}
