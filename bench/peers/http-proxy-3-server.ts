/** http-proxy-3 with a pooled upstream. Arguments: port, upstream port, [certificate file, key file]. */
import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { createProxyServer } from 'http-proxy-3';

const [port, upstreamPort, certFile, keyFile] = process.argv.slice(2);

const proxy = createProxyServer({
  target: `http://127.0.0.1:${upstreamPort}`,
  ws: true,
  agent: new Agent({ keepAlive: true, maxSockets: 256 }),
  ...(certFile !== undefined && keyFile !== undefined
    ? { ssl: { cert: readFileSync(certFile), key: readFileSync(keyFile) } }
    : {}),
});
// Clients that leave at the end of a round; without a listener the process would end.
proxy.on('error', () => {});
proxy.listen(Number(port), '127.0.0.1');
process.once('SIGTERM', () => process.exit(0));
