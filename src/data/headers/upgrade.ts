import { trimSpace } from './white-space.ts';

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
/** RFC 9110 §7.8: `protocol-name ["/" protocol-version]`. */
const PROTOCOL = new RegExp(`^${TOKEN}(?:/${TOKEN})?$`);
const MAX_PROTOCOLS = 16;
/** In these a client could send requests of which the proxy sees nothing: past routes and middlewares, to a backend that agrees. */
const HTTP_WITHIN = /^(?:h2c?|h3|https?|tls)(?:[-/]|$)/;

/**
 * What of an Upgrade field goes on to the upstream: its members in lower case, in order; null where the upgrade is ignored, as
 * a server may. That is so where one of them cannot be read, or would hide requests, and for websocket by another method than
 * GET (RFC 6455 §4.1: a backend that does not look must not be asked).
 *
 * @param value the field's value, several joined by commas
 */
export function offeredUpgrade(method: string, value: string): string | null {
  const protocols = membersOf(value);
  if (protocols.length === 0 || protocols.length > MAX_PROTOCOLS) return null;
  for (const protocol of protocols) {
    if (!PROTOCOL.test(protocol) || HTTP_WITHIN.test(protocol)) return null;
    if (method !== 'GET' && isWebsocket(protocol)) return null;
  }
  return protocols.join(', ');
}

/** Whether all that an upstream switches to was offered. @param offered as {@link offeredUpgrade} gave it */
export function isOffered(answer: string | undefined, offered: string): boolean {
  if (answer === undefined) return false;
  const members = membersOf(answer);
  const allowed = offered.split(', ');
  return members.length > 0 && members.length <= MAX_PROTOCOLS && members.every((member) => allowed.includes(member));
}

/** @param offered as {@link offeredUpgrade} gave it */
export function offersWebsocket(offered: string | null): boolean {
  return offered?.split(', ').some(isWebsocket) ?? false;
}

function isWebsocket(protocol: string): boolean {
  return protocol === 'websocket' || protocol.startsWith('websocket/');
}

/** RFC 9110 §5.6.1.2: empty members are ignored. */
function membersOf(value: string): string[] {
  return value
    .toLowerCase()
    .split(',')
    .map(trimSpace)
    .filter((member) => member !== '');
}
