import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** What a stand-in reads of a request; more is refused. */
const MAX_BODY_BYTES = 1024 * 1024;

/** Between two pieces of a streamed answer, so that the eye sees that they come one by one. */
const PIECE_INTERVAL_MS = 150;

/** Answers one path of a stand-in. `body` is what the client sent as JSON, `{}` where that was nothing. */
export type Route = (response: ServerResponse, body: Readonly<Record<string, unknown>>) => void | Promise<void>;

/** Routes by `METHOD /path`. */
export type Routes = Readonly<Record<string, Route>>;

export function json(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(`${JSON.stringify(value)}\n`);
}

/** Streams pieces one by one; stops where the client leaves. */
export async function stream(response: ServerResponse, contentType: string, pieces: Iterable<string>): Promise<void> {
  response.writeHead(200, { 'Content-Type': contentType, 'Cache-Control': 'no-cache' });
  for (const piece of pieces) {
    if (response.destroyed) return;
    response.write(piece);
    await sleep(PIECE_INTERVAL_MS);
  }
  response.end();
}

/** One Server-Sent Event. */
export function event(data: unknown): string {
  return `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;
}

/** What every stand-in "generates", cut into the pieces of a model. */
export function words(name: string): string[] {
  return `This is the stand-in for ${name}: no model, but it streams.`.split(/(?<= )/);
}

/** Serves routes; what is not among them is 404, what is no JSON 400. */
export function serveRoutes(
  name: string,
  routes: Routes,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  return async (request, response) => {
    response.setHeader('X-Stand-In', name);
    const path = (request.url ?? '/').replace(/\?.*$/s, '');
    const route = routes[`${request.method === 'HEAD' ? 'GET' : request.method} ${path}`];
    try {
      const body = await readJson(request);
      if (typeof body === 'string') json(response, { error: body }, 400);
      else if (route === undefined) json(response, { error: `${name} has no ${path}`, try: Object.keys(routes) }, 404);
      else await route(response, body);
    } catch {
      // The client went away in the middle: there is nobody to tell.
      response.destroy();
    }
  };
}

/** @returns why the body cannot be used, as a text */
async function readJson(request: IncomingMessage): Promise<Record<string, unknown> | string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) return `a stand-in reads ${MAX_BODY_BYTES} bytes at most`;
    chunks.push(chunk);
  }
  if (size === 0) return {};
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : 'the body is no JSON object';
  } catch {
    return 'the body is no JSON';
  }
}
