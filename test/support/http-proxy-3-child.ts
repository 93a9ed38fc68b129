/** http-proxy-3 as a process of its own, with a pooled upstream: what differential tests compare with. Arguments: port, upstream port. */
import { Agent, ServerResponse } from 'node:http';
import { createProxyServer } from 'http-proxy-3';

const [port, upstreamPort] = process.argv.slice(2);

const proxy = createProxyServer({
  target: `http://127.0.0.1:${upstreamPort}`,
  agent: new Agent({ keepAlive: true }),
});
proxy.on('error', (error, _request, response) => {
  console.error(error);
  if (response instanceof ServerResponse && !response.headersSent) response.writeHead(502).end();
  else response?.destroy();
});
proxy.listen(Number(port), '127.0.0.1');
