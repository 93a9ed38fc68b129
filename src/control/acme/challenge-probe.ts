import { lookup as systemLookup } from 'node:dns/promises';
import { request } from 'node:http';
import { isIP } from 'node:net';
import { connect } from 'node:tls';
import { alpnServerName } from './names.ts';
import type { Lookup } from './types.ts';

/** A look must not make a failure last. */
const PROBE_MS = 3_000;
const MAX_BODY = 4096;

export interface ProbeOptions {
  readonly lookup?: Lookup | undefined;
  readonly ports?: { readonly http: number; readonly tls: number } | undefined;
}

/**
 * What answers where the CA looked for a http-01 challenge, seen from here: for the message about one that failed. Never throws.
 *
 * @param expected the key authorization that should have been there
 */
export async function probeHttp(name: string, token: string, expected: string, options: ProbeOptions): Promise<string> {
  const port = options.ports?.http ?? 80;
  const path = `/.well-known/acme-challenge/${token}`;
  const where = `http://${isIP(name) === 6 ? `[${name}]` : name}${port === 80 ? '' : `:${port}`}/.well-known/acme-challenge/`;
  const found = await addressOf(name, options.lookup);
  if ('problem' in found) return `seen from here, ${found.problem}`;
  const at = `${where} (${found.address})`;
  try {
    const { status, server, location, body } = await get(found.address, port, name, path);
    const by = server === undefined ? '' : ` by ${server}`;
    if (body.trim() === expected) {
      return `seen from here, ${at} answers as it should${by}: the CA may resolve the name otherwise, or not be let through`;
    }
    const redirect = location === undefined ? '' : ` to ${location}`;
    const text = body.replaceAll(/\s+/g, ' ').trim().slice(0, 60);
    const shown = text === '' ? '' : `: ${JSON.stringify(text)}`;
    return `seen from here, ${at} is answered with ${status}${redirect}${by}${shown}: that is not this proxy's answer`;
  } catch (error) {
    return `seen from here, ${at} does not answer: ${(error as Error).message}`;
  }
}

/** The same for tls-alpn-01. Never throws. */
export async function probeTls(name: string, options: ProbeOptions): Promise<string> {
  const port = options.ports?.tls ?? 443;
  const found = await addressOf(name, options.lookup);
  if ('problem' in found) return `seen from here, ${found.problem}`;
  const at = `${name}:${port} (${found.address})`;
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect({
    ...{ host: found.address, port, servername: alpnServerName(name) },
    ...{ rejectUnauthorized: false, ALPNProtocols: ['acme-tls/1'] },
  });
  const timer = setTimeout(() => resolve('does not answer: it takes too long'), PROBE_MS);
  socket.once('secureConnect', () => {
    const subject = socket.getPeerX509Certificate()?.subject?.replaceAll('\n', ', ') ?? 'no name';
    const fits = socket.alpnProtocol === 'acme-tls/1';
    resolve(
      fits
        ? `speaks acme-tls/1 with a certificate for "${subject}": the CA may resolve the name otherwise, or not be let through`
        : `does not speak acme-tls/1, and shows a certificate for "${subject}": TLS ends before this proxy`,
    );
  });
  socket.once('error', (error) => resolve(`does not answer acme-tls/1: ${error.message.split('\n')[0]}`));
  try {
    return `seen from here, ${at} ${await promise}`;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

async function addressOf(name: string, lookup?: Lookup): Promise<{ address: string } | { problem: string }> {
  if (isIP(name) !== 0) return { address: name };
  const look = lookup ?? ((host) => systemLookup(host, { all: true }));
  try {
    const [first] = await Promise.race([look(name), rejectLate()]);
    return first === undefined ? { problem: `${name} has no address` } : { address: first.address };
  } catch (error) {
    return {
      problem: `${name} does not resolve (${(error as NodeJS.ErrnoException).code ?? (error as Error).message})`,
    };
  }
}

function rejectLate(): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error('it takes too long')), PROBE_MS).unref();
  });
}

interface Seen {
  readonly status: number;
  readonly server: string | undefined;
  readonly location: string | undefined;
  readonly body: string;
}

function get(address: string, port: number, name: string, path: string): Promise<Seen> {
  const { promise, resolve, reject } = Promise.withResolvers<Seen>();
  const host = `${isIP(name) === 6 ? `[${name}]` : name}${port === 80 ? '' : `:${port}`}`;
  const call = request({
    host: address,
    port,
    path,
    headers: { host, 'user-agent': 'phoenix-proxy (acme)' },
    agent: false,
  });
  const timer = setTimeout(() => call.destroy(new Error('it takes too long')), PROBE_MS);
  call.once('response', (response) => {
    let body = '';
    const done = (): void => {
      const { server, location } = response.headers;
      resolve({ status: response.statusCode ?? 0, server: server?.toString(), location, body });
      call.destroy();
    };
    response.setEncoding('latin1').on('data', (chunk: string) => {
      body += chunk;
      if (body.length > MAX_BODY) done();
    });
    response.once('end', done);
    response.once('error', reject);
  });
  call.once('error', reject);
  call.end();
  return promise.finally(() => clearTimeout(timer));
}
