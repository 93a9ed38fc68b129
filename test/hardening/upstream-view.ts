import { sendRaw } from '../support/raw-client.ts';
import type { SeenRequest } from '../support/request-framing.ts';
import { waitFor } from '../support/wait-for.ts';
import type { UnderTest } from './under-test.ts';

/** What the upstream saw since a moment. */
export interface UpstreamView {
  /** Complete requests, barrier excepted. */
  readonly requests: readonly SeenRequest[];
  /** Bytes that are not part of a complete request, by connection, where there are any. */
  readonly unfinished: readonly { readonly bytes: string; readonly closed: boolean }[];
  /** Every byte that came, the barrier's excepted, latin1. */
  readonly bytes: string;
}

let barriers = 0;

/** Remembers where every upstream connection stands; the returned function says what came since. */
export function watchUpstream({ upstream, port }: UnderTest): () => Promise<UpstreamView> {
  const before = new Map(
    upstream.connections.map((c) => [c.id, { bytes: c.received.length, requests: c.requests.length }]),
  );

  return async () => {
    const barrier = `/barrier-${++barriers}`;
    await passBarrier(port, barrier);
    const isBarrier = (request: SeenRequest): boolean => request.target === barrier;
    const fresh = upstream.connections.map((connection) => {
      const { bytes, requests } = before.get(connection.id) ?? { bytes: 0, requests: 0 };
      return {
        connection,
        bytes: connection.received.subarray(bytes).toString('latin1'),
        requests: connection.requests.slice(requests),
      };
    });
    const withPending = fresh.filter(({ connection, bytes }) => bytes !== '' && connection.pending.length > 0);
    return {
      requests: fresh.flatMap(({ requests }) => requests.filter((request) => !isBarrier(request))),
      unfinished: withPending.map(({ connection }) => ({
        bytes: connection.pending.toString('latin1'),
        closed: connection.closed !== 'no',
      })),
      bytes: fresh.map(({ bytes, requests }) => withoutBarrier(bytes, requests.find(isBarrier))).join(''),
    };
  };
}

/** An ordinary request through the proxy: whatever was forwarded before it has arrived by its answer. */
async function passBarrier(port: number, target: string): Promise<void> {
  const { responses } = await sendRaw({
    port,
    chunks: [`GET ${target} HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n`],
  });
  if (responses.at(-1)?.status !== 200)
    throw new Error(`the proxy does not serve any more: ${JSON.stringify(responses)}`);
}

function withoutBarrier(bytes: string, barrier: SeenRequest | undefined): string {
  return barrier === undefined ? bytes : bytes.replace(`${barrier.head}\r\n\r\n`, '');
}

/** Waits until the proxy has closed every upstream connection that holds half a request. */
export async function unfinishedAreClosed({ upstream }: UnderTest): Promise<void> {
  await waitFor(
    'the proxy to close upstream connections with half a request',
    () => upstream.connections.every((connection) => connection.pending.length === 0 || connection.closed !== 'no'),
    {
      describe: () => upstream.connections.map((c) => JSON.stringify(c.pending.toString('latin1'))).join('\n'),
    },
  );
}
