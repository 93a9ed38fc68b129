import { Agent, request } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** What a load did so far. */
export interface Load extends AsyncDisposable {
  readonly done: number;
  /** Requests that were not answered by 200, in the order they failed (the first 20). */
  readonly failures: readonly string[];
  /** Ends it: requests under way are still answered. */
  stop(): Promise<void>;
}

export interface LoadOptions {
  readonly port: number;
  readonly host: string;
  readonly path?: string;
  /** Requests under way at a time. */
  readonly clients: number;
  /** False: each request on a connection of its own. */
  readonly keepAlive: boolean;
}

/** Sends GET requests as fast as they are answered, until it is stopped. */
export function startLoad(options: LoadOptions): Load {
  const agent = new Agent({ keepAlive: options.keepAlive, maxSockets: options.clients });
  const state = { done: 0, stopping: false };
  const failures: string[] = [];
  const client = async (): Promise<void> => {
    while (!state.stopping) {
      const problem = await once(options, agent);
      state.done++;
      if (problem !== null && failures.length < 20) failures.push(problem);
      // A machine of few processors has others to serve.
      await nextTurn();
    }
  };
  const clients = Array.from({ length: options.clients }, client);
  const stop = async (): Promise<void> => {
    state.stopping = true;
    await Promise.all(clients);
    agent.destroy();
  };
  return {
    get done() {
      return state.done;
    },
    failures,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** The problem of one request; null where there is none. */
function once({ port, host, path = '/' }: LoadOptions, agent: Agent): Promise<string | null> {
  return new Promise((resolve) => {
    const sent = request({ host: '127.0.0.1', port, path, agent, headers: { host } }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode === 200 ? null : `status ${response.statusCode}`));
      response.on('error', (error) => resolve(`answer: ${error.message}`));
    });
    // A kept connection that is reset counts too: nothing that is tested closes one under a client.
    sent.on('error', (error: NodeJS.ErrnoException) => resolve(`${error.code ?? ''} ${error.message}`));
    sent.end();
  });
}
