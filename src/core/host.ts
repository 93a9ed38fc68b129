const DOT = 46;

/**
 * The host name of a Host header or `:authority`, as rules and certificates compare it: lower case, without port,
 * without IPv6 brackets, without one trailing dot. Returns its argument where there is nothing to do. What is no host
 * comes back lower-cased and otherwise as it is: to refuse it is the codec's work (RFC 9110 section 7.2).
 */
export function normalizeHost(hostHeader: string): string {
  const length = hostHeader.length;
  for (let i = 0; i < length; i++) {
    const c = hostHeader.charCodeAt(i);
    const plain = (c >= 97 && c <= 122) || (c >= 48 && c <= 57) || c === 45 || (c === DOT && i !== length - 1);
    if (!plain) return normalizeSlowly(hostHeader);
  }
  return hostHeader;
}

function normalizeSlowly(hostHeader: string): string {
  let host = hostHeader.toLowerCase();
  if (host.startsWith('[')) {
    const end = host.indexOf(']');
    if (end > 0) return host.slice(1, end);
  }
  const colon = host.indexOf(':');
  // Two colons and no brackets: an IPv6 address that someone wrote bare. It has no port that could be told from it.
  if (colon !== -1 && host.indexOf(':', colon + 1) === -1) host = host.slice(0, colon);
  return host.charCodeAt(host.length - 1) === DOT ? host.slice(0, -1) : host;
}

/** Whether a Host header or a configured host names a port: `a:80`, `[::1]:80`. A bare IPv6 address does not. */
export function hasPort(host: string): boolean {
  if (host.startsWith('[')) return /^\[[^\]]*\]:/.test(host);
  const colon = host.indexOf(':');
  return colon !== -1 && host.indexOf(':', colon + 1) === -1;
}
