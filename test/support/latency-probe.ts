import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** What an ordinary client met with since it was last asked. */
export interface Latencies {
  /** Milliseconds. */
  readonly p99: number;
  /** The same of requests that did not go through the proxy. */
  readonly directP99: number;
  readonly count: number;
  readonly failures: number;
}

/** An ordinary client and its upstream, in a process of their own. */
export interface LatencyProbe extends AsyncDisposable {
  /** For a server list; whatever path. */
  readonly url: string;
  /** From now on requests for `/probe` go to this port. */
  begin(proxyPort: number): void;
  take(): Promise<Latencies>;
}

export async function startLatencyProbe(): Promise<LatencyProbe> {
  const child = fork(fileURLToPath(new URL('./latency-probe-child.ts', import.meta.url)));
  const [{ port }] = (await once(child, 'message')) as [{ readonly port: number }];
  return {
    url: `http://127.0.0.1:${port}`,
    begin: (proxyPort) => void child.send({ proxy: proxyPort }),
    take: async () => {
      const answer = once(child, 'message');
      child.send({ take: true });
      const [latencies] = (await answer) as [Latencies];
      return latencies;
    },
    [Symbol.asyncDispose]: async () => {
      const gone = once(child, 'exit');
      child.disconnect();
      await gone;
    },
  };
}
