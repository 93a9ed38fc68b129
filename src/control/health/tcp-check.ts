import net from 'node:net';
import tls from 'node:tls';
import { type CheckAddress, type CheckResult, failureOf, late } from './check-result.ts';
import { tlsOptions } from './tls-options.ts';

/** Mode `tcp`: a connection can be made, TLS included where the server speaks it. */
export function checkTcp(address: CheckAddress, timeoutMs: number): Promise<CheckResult> {
  return new Promise((resolve) => {
    const { host, port } = address;
    const socket =
      address.tls === undefined ? net.connect({ host, port }) : tls.connect({ host, port, ...tlsOptions(address) });
    const end = (result: CheckResult): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(result);
    };
    const timer = setTimeout(() => end(late(timeoutMs)), timeoutMs);
    socket.on('error', (error) => end(failureOf(error)));
    socket.once(address.tls === undefined ? 'connect' : 'secureConnect', () =>
      end({ kind: 'ok', detail: 'connected' }),
    );
  });
}
