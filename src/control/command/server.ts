import { chmodSync } from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { OperatorError } from '../../core/operator-error.ts';

/**
 * The control socket: `proxy VERB` of another process asks here. HTTP/1.1 over a unix socket, one POST for each command:
 *
 *   POST /reload {"…"}  ─►  200 data  |  409 {"message", …data} the request was refused  |  404 no such verb
 */

/** What a verb answers. `data` is what `--json` prints; a refusal says why in one line, and exits 1. */
export type CommandAnswer =
  | { readonly ok: true; readonly data: object }
  | { readonly ok: false; readonly message: string; readonly data?: object };

/** Does one verb in the running proxy. `args` are what the command sent, unchecked. */
export type CommandVerb = (args: Readonly<Record<string, unknown>>) => CommandAnswer | Promise<CommandAnswer>;

export interface CommandServerOptions {
  readonly socketPath: string;
  readonly verbs: ReadonlyMap<string, CommandVerb>;
  readonly log: (level: 'error', message: string, fields?: Record<string, unknown>) => void;
}

const MAX_BODY = 1024 * 1024;
const MAX_CONNECTIONS = 64;
/** The owner and the group; who may reach the socket may do everything. */
const MODE = 0o660;

/** @throws OperatorError where the socket cannot be made; the message names the path */
export async function startCommandServer(options: CommandServerOptions): Promise<{ close(): Promise<void> }> {
  const server = http.createServer({ requestTimeout: 10_000 }, (request, response) => {
    serve(request, response, options).catch((error: unknown) => {
      options.log('error', `the command ${request.url} failed`, { error });
      answer(response, 500, { message: 'the command failed in the proxy; its log says why' });
    });
  });
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(new OperatorError(`control socket ${options.socketPath}: ${error.message}`)),
    );
    server.listen(options.socketPath, () => {
      chmodSync(options.socketPath, MODE);
      resolve();
    });
  });
  server.on('error', (error) => options.log('error', `control socket: ${error.message}`));
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function serve(request: IncomingMessage, response: ServerResponse, options: CommandServerOptions): Promise<void> {
  const name = (request.url ?? '').slice(1);
  const verb = options.verbs.get(name);
  if (request.method !== 'POST' || verb === undefined) {
    answer(response, 404, { message: `this proxy has no command ${name}: is it another version than the command?` });
    return;
  }
  const args = await readArgs(request);
  if (args === null) {
    answer(response, 400, { message: 'the arguments are not a JSON object' });
    return;
  }
  const result = await verb(args);
  if (result.ok) answer(response, 200, result.data);
  else answer(response, 409, { ...result.data, message: result.message });
}

async function readArgs(request: IncomingMessage): Promise<Record<string, unknown> | null> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_BODY) return null;
    parts.push(part);
  }
  if (size === 0) return {};
  try {
    const value: unknown = JSON.parse(Buffer.concat(parts).toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

function answer(response: ServerResponse, status: number, data: object): void {
  if (response.headersSent) return;
  const body = Buffer.from(JSON.stringify(data), 'utf8');
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': body.length });
  response.end(body);
}
