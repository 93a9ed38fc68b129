// Runs in the container: an upstream. `/slow?ms=500` takes its time.
import { createServer } from 'node:http';

createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://upstream');
  const answer = () => response.end(`upstream ${process.argv[2]}\n`);
  if (pathname === '/slow') setTimeout(answer, Number(searchParams.get('ms')));
  else answer();
}).listen(Number(process.argv[2]), '127.0.0.1');
