import { networkInterfaces } from 'node:os';
import type { EntryPointSnapshot } from '../core/snapshot.ts';

/**
 * Whether a connection to this address and port would reach one of our own entry points. Asked for each time: addresses come
 * and go with DHCP.
 */
export function isOwnAddress(
  address: string,
  port: number,
  entryPoints: Readonly<Record<string, Pick<EntryPointSnapshot, 'host' | 'port'>>>,
): boolean {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').toLowerCase();
  return Object.values(entryPoints).some(
    (entryPoint) =>
      entryPoint.port === port &&
      (entryPoint.host === plain || (isAny(entryPoint.host) && (isLoopback(plain) || interfaceAddresses().has(plain)))),
  );
}

function isAny(host: string): boolean {
  return host === '::' || host === '0.0.0.0';
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

function interfaceAddresses(): ReadonlySet<string> {
  return new Set(
    Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address.toLowerCase())),
  );
}
