import { lookup as systemLookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import { parseCaAddress } from '../../core/config/ca-address.ts';
import { hostOf, portOf } from '../../core/url-address.ts';
import { AcmeError } from './acme-error.ts';
import type { Lookup } from './types.ts';

export interface CaEndpointOptions {
  /** The directory's URL. */
  readonly caServer: string;
  /** `host` or `host:port` to connect to instead of what the URL says. */
  readonly caAddress?: string | undefined;
  readonly lookup?: Lookup | undefined;
  readonly isSelf?: ((address: string, port: number) => boolean) | undefined;
}

/**
 * Where a CA is: its URL, the address it is pinned to, and whether that leads back to this proxy. All names of a mesh may point
 * at its gateway, the CA's too; then the proxy would ask itself for certificates.
 */
export class CaEndpoint {
  readonly url: URL;
  readonly #lookup: Lookup;
  readonly #isSelf: (address: string, port: number) => boolean;
  readonly #pin: { readonly host: string; readonly port: number | undefined } | undefined;

  /** @throws AcmeError where the URL or the address is none */
  constructor({ caServer, caAddress, lookup, isSelf }: CaEndpointOptions) {
    if (!URL.canParse(caServer) || !/^https?:$/.test(new URL(caServer).protocol)) {
      throw new AcmeError(
        'unreachable',
        `caServer ${JSON.stringify(caServer)} is not the URL of an ACME directory: https://…`,
      );
    }
    this.url = new URL(caServer);
    this.#pin = caAddress === undefined ? undefined : parsePin(caAddress);
    this.#lookup = lookup ?? ((host) => systemLookup(host, { all: true }));
    this.#isSelf = isSelf ?? (() => false);
  }

  /** For messages: `ca.internal:9000`, with the pinned address behind it. */
  get label(): string {
    const { hostname } = this.url;
    const to = this.#pin === undefined ? '' : ` (caAddress ${this.#pin.host})`;
    return `${hostname}:${portOf(this.url)}${to}`;
  }

  /** Host and port to connect to for a URL of this CA. Only the CA's own host is pinned. */
  target(url: URL): { readonly host: string; readonly port: number } {
    const bare = hostOf(url);
    const port = portOf(url);
    if (this.#pin === undefined || url.host !== this.url.host) return { host: bare, port };
    return { host: this.#pin.host, port: this.#pin.port ?? port };
  }

  /**
   * The addresses to connect to.
   *
   * @throws AcmeError where the name does not resolve, or leads to this proxy itself
   */
  async resolve(url: URL): Promise<readonly { readonly address: string; readonly family: number }[]> {
    const { host, port } = this.target(url);
    const addresses = isIP(host) === 0 ? await this.#look(host) : [{ address: host, family: isIP(host) }];
    const self = addresses.find(({ address }) => this.#isSelf(address, port));
    if (self === undefined) return addresses;
    const pin = this.#pin === undefined ? 'set caAddress to where the CA really is' : 'correct caAddress';
    throw new AcmeError(
      'unreachable',
      `the CA ${this.label} leads to this proxy itself (${self.address}:${port}): ${pin}`,
    );
  }

  /** For node:net, which connects to what {@link resolve} says whatever the host is called. */
  lookupFor(url: URL): LookupFunction {
    return (_host, options, callback) => {
      this.resolve(url).then(
        (addresses) => {
          if (options.all === true) callback(null, [...addresses]);
          else callback(null, addresses[0]?.address ?? '', addresses[0]?.family);
        },
        (error: Error) => callback(error, ''),
      );
    };
  }

  async #look(host: string): Promise<readonly { readonly address: string; readonly family: number }[]> {
    try {
      return await this.#lookup(host);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new AcmeError(
        'unreachable',
        `the name of the CA ${host} does not resolve (${code ?? (error as Error).message})`,
        {
          cause: error,
        },
      );
    }
  }
}

function parsePin(value: string): { readonly host: string; readonly port: number | undefined } {
  const pin = parseCaAddress(value);
  if (pin !== undefined) return pin;
  throw new AcmeError('unreachable', `caAddress ${JSON.stringify(value)} is not host or host:port`);
}
