import { connect, type Socket } from 'node:net';
import { createSecureContext, connect as tlsConnect } from 'node:tls';
import { HOST, type Target } from './load.ts';

// One context for all connections: made once, and no session is in it unless the caller hands one over. One curve that all
// peers have, so that nobody is charged for a more expensive key exchange: Node and Go would agree on ML-KEM, nginx and
// HAProxy of Debian 12 cannot. The curve belongs here: beside a `secureContext` the option of `connect` is ignored.
const secureContext = createSecureContext({ minVersion: 'TLSv1.3', ecdhCurve: 'X25519' });

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
    // The certificate was made for this run and is signed by itself.
    rejectUnauthorized: false,
  });
  return { socket, ready: 'secureConnect' };
}
