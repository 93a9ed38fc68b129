import { connect, type Socket } from 'node:net';
import { createSecureContext, connect as tlsConnect } from 'node:tls';
import { HOST, type Target } from './load.ts';

// One context for all connections: made once, and no session is in it unless the caller hands one over.
const secureContext = createSecureContext({ minVersion: 'TLSv1.3' });

/** Opens a connection to the target; `ready` names the event that says it can be written to. */
export function dial(target: Target, session?: Buffer): { socket: Socket; ready: 'connect' | 'secureConnect' } {
  const { port } = target;
  if (!target.tls) return { socket: connect({ host: '127.0.0.1', port, noDelay: true }), ready: 'connect' };
  const socket = tlsConnect({
    host: '127.0.0.1',
    port,
    servername: HOST,
    secureContext,
    ...(session === undefined ? {} : { session }),
    // One curve that all peers have, so that nobody is charged for a more expensive key exchange.
    ecdhCurve: 'X25519',
    // The certificate was made for this run and is signed by itself.
    rejectUnauthorized: false,
  });
  return { socket, ready: 'secureConnect' };
}
