// Runs in the container in the place of Traefik: the same ports, the same way to stop (what is under way is finished).
import { createServer } from 'node:http';

const servers = [80, 8443, 8080].map((port) =>
  createServer((request, response) => {
    response.setHeader('x-served-by', 'traefik-stand-in');
    if (port === 8080 && request.url === '/ping') response.end('OK');
    else if (request.url === '/slow') setTimeout(() => response.end('from the stand-in\n'), 60_000);
    else response.end('from the stand-in\n');
  }).listen(port),
);
process.on('SIGHUP', () => console.log('configuration reloaded'));
process.on('SIGTERM', () => {
  for (const server of servers) server.close();
});
console.log('stand-in started', ...process.argv.slice(2));
