const HOST_PORT = /^(?:\[([0-9a-f:.]+)\]|([^:[\]\s/]+))(?::(\d{1,5}))?$/i;
/** Two colons and no brackets: an address without a port. */
const BARE_IPV6 = /^[0-9a-f.]*:[0-9a-f:.]*:[0-9a-f:.]*$/i;

/** Reads `caAddress`: a name or an address, with or without a port. Undefined: it is neither. */
export function parseCaAddress(
  value: string,
): { readonly host: string; readonly port: number | undefined } | undefined {
  if (BARE_IPV6.test(value)) return { host: value, port: undefined };
  const [, bracketed, plain, port] = HOST_PORT.exec(value) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port ?? 1) > 65_535) return undefined;
  return { host, port: port === undefined ? undefined : Number(port) };
}
