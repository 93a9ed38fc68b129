import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface ModelFigures {
  readonly requests: number;
  /** Requests that are with it, and the most that were. */
  readonly now: number;
  readonly most: number;
  readonly tokens: number;
  /** Requests whose client left. */
  readonly stopped: number;
}

export interface ModelServer extends AsyncDisposable {
  readonly url: string;
  figures(): Promise<ModelFigures>;
}

/** Starts model-server.py, see there. */
export async function startModelServer(
  name: string,
  options: { slots?: number; loadingSeconds?: number } = {},
): Promise<ModelServer> {
  const script = fileURLToPath(new URL('./model-server.py', import.meta.url));
  const { slots = 4, loadingSeconds = 0 } = options;
  const child: ChildProcess = spawn('python3', [script, name, String(slots), String(loadingSeconds)]);
  const port = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`model-server.py ended with ${code}`)));
    child.stdout!.once('data', (line: Buffer) => resolve(Number(line.toString())));
  });
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    figures: async () => (await (await fetch(`${url}/figures`)).json()) as ModelFigures,
    [Symbol.asyncDispose]: async () => void child.kill('SIGKILL'),
  };
}
