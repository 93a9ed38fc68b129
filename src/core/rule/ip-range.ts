/** An address as 32-bit words, most significant first: one for IPv4, four for IPv6. */
export type IpWords = readonly number[];

/** The addresses under a prefix, or one address. */
export interface IpRange {
  readonly words: IpWords;
  /** One for each word: the bits that count. */
  readonly masks: readonly number[];
}

/**
 * Reads an IPv4 or IPv6 address. An IPv4-mapped IPv6 address (`::ffff:1.2.3.4`, RFC 4291 section 2.5.5.2) is the IPv4
 * address, and a zone (`%eth0`) is left out. Undefined where the text is no address.
 */
export function parseIp(text: string): IpWords | undefined {
  const v4 = parseIpv4(text);
  if (v4 !== undefined) return [v4];
  const zone = text.indexOf('%');
  const words = parseIpv6(zone === -1 ? text : text.slice(0, zone));
  return words !== undefined && isMapped(words) ? [words[3] ?? 0] : words;
}

/** Reads `10.0.0.1`, `10.0.0.0/8`, `fd00::/8`; bits after the prefix are ignored. Undefined where it is neither. */
export function parseIpRange(text: string): IpRange | undefined {
  const slash = text.indexOf('/');
  if (slash === -1) {
    const words = parseIp(text);
    return words === undefined ? undefined : { words, masks: words.map(() => -1) };
  }
  const address = text.slice(0, slash);
  const length = /^(0|[1-9][0-9]{0,2})$/.test(text.slice(slash + 1)) ? Number(text.slice(slash + 1)) : 129;
  const v4 = parseIpv4(address);
  if (v4 !== undefined) return length > 32 ? undefined : rangeOf([v4], length);
  const words = parseIpv6(address);
  if (words === undefined || length > 128) return undefined;
  return isMapped(words) && length >= 96 ? rangeOf([words[3] ?? 0], length - 96) : rangeOf(words, length);
}

/** Whether an address is in a range. Addresses of the other family never are. */
export function inRange(ip: IpWords, range: IpRange): boolean {
  if (ip.length !== range.words.length) return false;
  for (let i = 0; i < ip.length; i++) {
    const mask = range.masks[i] ?? 0;
    if (((ip[i] ?? 0) & mask) !== ((range.words[i] ?? 0) & mask)) return false;
  }
  return true;
}

function rangeOf(words: IpWords, length: number): IpRange {
  const masks = words.map((_, i) => {
    const bits = Math.min(32, Math.max(0, length - 32 * i));
    // A shift by 32 is a shift by 0 in JavaScript.
    return bits === 0 ? 0 : -1 << (32 - bits);
  });
  return { words, masks };
}

function isMapped(words: IpWords): boolean {
  return words[0] === 0 && words[1] === 0 && words[2] === 0xffff;
}

function parseIpv4(text: string): number | undefined {
  let value = 0;
  let octet = -1;
  let dots = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 46) {
      if (octet === -1 || dots === 3) return undefined;
      value = value * 256 + octet;
      octet = -1;
      dots++;
      continue;
    }
    // No leading zeros: some read them as octal.
    if (c < 48 || c > 57 || octet === 0) return undefined;
    octet = (octet === -1 ? 0 : octet * 10) + c - 48;
    if (octet > 255) return undefined;
  }
  return dots === 3 && octet !== -1 ? value * 256 + octet : undefined;
}

/** RFC 4291 section 2.2. */
function parseIpv6(text: string): IpWords | undefined {
  if (text.length > 45 || !text.includes(':')) return undefined;
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? '', halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? '', true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  const words: number[] = [];
  for (let i = 0; i < 8; i += 2) words.push((groups[i] ?? 0) * 0x10000 + (groups[i + 1] ?? 0));
  return words;
}

/** @param last whether these groups end the address, where an IPv4 address may stand for the last two */
function parseGroups(text: string, last: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [i, part] of parts.entries()) {
    if (last && i === parts.length - 1 && part.includes('.')) {
      const v4 = parseIpv4(part);
      if (v4 === undefined) return undefined;
      groups.push(Math.floor(v4 / 0x10000), v4 % 0x10000);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups;
}
