/** Where an entry point listens. */
export interface Address {
  /** An IP address or host name; `::` where only a port was given: all addresses, IPv4 and IPv6. */
  readonly host: string;
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
}

/**
 * Reads the address of an entry point: `:80`, `127.0.0.1:80`, `[::1]:80`, `:53/udp`.
 *
 * @returns the address, or what is wrong with it as a text
 */
export function parseAddress(address: string): Address | string {
  const [place, protocol = 'tcp', ...rest] = address.trim().split('/');
  if (rest.length > 0 || !/^(tcp|udp)$/i.test(protocol)) {
    return `"${address}": after the slash must stand tcp or udp`;
  }
  const parts = /^(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([^:[\]\s]*)):(\d{1,5})$/.exec(place!);
  if (parts === null) {
    const colons = place!.split(':').length - 1;
    const hint =
      colons > 1
        ? 'put an IPv6 address in brackets, [::1]:80'
        : colons === 0
          ? 'write a colon before the port, :80'
          : 'write :80 or 127.0.0.1:80';
    return `"${address}" is not an address: ${hint}`;
  }
  const port = Number(parts[3]);
  if (port > 65535) return `"${address}": a port is at most 65535`;
  return { host: parts[1] ?? (parts[2] || '::'), port, protocol: protocol.toLowerCase() === 'udp' ? 'udp' : 'tcp' };
}

/** As an operator writes it: `:80` for every address, `[::1]:80`. */
export function formatAddress(host: string, port: number): string {
  return `${host === '::' ? '' : host.includes(':') ? `[${host}]` : host}:${port}`;
}
