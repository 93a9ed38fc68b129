/**
 * The splice: client socket piped to an upstream socket and back, one upstream connection per client connection, no
 * HTTP at all. With a certificate it ends TLS. Arguments: port, upstream port, workers, [certificate file, key file].
 */
import cluster from 'node:cluster';
import { readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';

const [port, upstreamPort, workers, certFile, keyFile] = process.argv.slice(2);

function splice(client: Socket): void {
  const upstream = connect({ host: '127.0.0.1', port: Number(upstreamPort), noDelay: true });
  client.pipe(upstream);
  upstream.pipe(client);
  // A reset on one side ends the other; there is nobody to tell.
  client.on('error', () => upstream.destroy());
  upstream.on('error', () => client.destroy());
}

if (cluster.isPrimary && Number(workers) > 1) {
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  for (let index = 0; index < Number(workers); index += 1) cluster.fork();
} else {
  const server =
    certFile !== undefined && keyFile !== undefined
      ? createTlsServer({ cert: readFileSync(certFile), key: readFileSync(keyFile), noDelay: true }, splice)
      : createServer({ noDelay: true }, splice);
  server.listen({ host: '127.0.0.1', port: Number(port), backlog: 1_024 });
}
process.once('SIGTERM', () => process.exit(0));
