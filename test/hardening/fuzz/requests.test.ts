import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCodec } from '../../data/http1/fake-socket.ts';
import { rss, workersOf } from '../../e2e/setup.ts';
import { type ProxyProcess, startProxy } from '../../support/proxy.ts';
import { RawClient, sendRaw } from '../../support/raw-client.ts';
import { waitFor } from '../../support/wait-for.ts';
import { readFound, saveFound, shrink } from './found.ts';
import { type Peer, type Peers, type ReadRequest, startPeers } from './peer.ts';
import { Random } from './random.ts';
import { FUZZ, MAX_GROWTH } from './settings.ts';
import { requestStream } from './streams.ts';

/**
 * Random streams of requests, through the proxy to upstreams whose parsers are not ours: what each of them read must be what
 * the proxy's own codec reads, request for request and byte for byte, whatever the stream.
 */

let peers: Peers;
let proxy: ProxyProcess;

beforeAll(async () => {
  peers = await startPeers();
  if (peers.missing !== null) console.log(peers.missing);
  const named = (make: (peer: Peer) => unknown): Record<string, unknown> =>
    Object.fromEntries(peers.servers.map((peer) => [peer.name, make(peer)]));
  proxy = await startProxy({
    static: { entryPoints: named(() => ({ http: { sanitizePath: false } })) },
    dynamic: {
      http: {
        routers: named(({ name }) => ({
          // `OPTIONS *` is about no path.
          rule: 'PathPrefix(`/`) || Method(`OPTIONS`)',
          entryPoints: [name],
          service: name,
        })),
        services: named(({ url }) => ({ loadBalancer: { servers: [{ url }] } })),
      },
    },
  });
}, 300_000);
afterAll(async () => {
  await proxy?.stop();
  await peers?.[Symbol.asyncDispose]();
});

/** What is wrong with what a peer made of a stream; null = nothing. */
async function disagreement(peer: Peer, bytes: string): Promise<string | null> {
  const model = runCodec([Buffer.from(bytes, 'latin1')]);
  // A method that the peer has never heard of is refused there, and everything behind it.
  if (model.seen.some(({ method }) => !peer.knows(method))) return null;
  const port = proxy.port(peer.name);
  await using client = await RawClient.connect({ port });
  await client.write(bytes);
  // Counted as the model counts: whether an answer has a body depends on a request that may not be readable.
  const finals = (): number[] =>
    [...client.received.toString('latin1').matchAll(/HTTP\/1\.1 ([2-5]\d\d) /g)].map((match) => Number(match[1]));
  const wanted = model.statuses.map(Number);
  const hangs = await client
    .waitUntil('the answers', () => client.closed !== 'no' || (finals().length >= wanted.length && !model.closed))
    .then(
      () => false,
      () => true,
    );
  const answered = finals();
  // Also where something is wrong already: what was read must not be taken for the next stream's.
  const read = await passBarrier(peer, port);
  if (hangs) return `hangs: answered ${answered.join()} of ${wanted.join()}, closed ${client.closed}`;
  if (answered.join() !== wanted.join()) return `answered ${answered.join()}, the codec says ${wanted.join()}`;
  const frame = (list: readonly ReadRequest[]): string =>
    JSON.stringify(list.map(({ method, target, body }) => [method, target, body]));
  compared += model.seen.length;
  // Pipelined requests are answered in turn, so they are read in turn.
  if (frame(read) !== frame(model.seen)) return `${peer.name} read ${frame(read)}, the codec ${frame(model.seen)}`;
  return null;
}

let barriers = 0;
/** Requests that came through, and so were compared. */
let compared = 0;

/** An ordinary request through the proxy; returns what was read before it. */
async function passBarrier(peer: Peer, port: number): Promise<ReadRequest[]> {
  const target = `/barrier-${++barriers}`;
  await sendRaw({ port, chunks: [`GET ${target} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n`] });
  const read: ReadRequest[] = [];
  await waitFor('the barrier', () => {
    read.push(...peer.take());
    return read.some((request) => request.target === target);
  });
  return read.filter((request) => !request.target.startsWith('/barrier-'));
}

async function check(bytes: string): Promise<string | null> {
  const found = await Promise.all(peers.servers.map((peer) => disagreement(peer, bytes)));
  return found.find((problem) => problem !== null) ?? null;
}

describe('requests, read by us and by others', () => {
  it.each(readFound('requests'))('found before: $file', async ({ bytes }) => {
    expect(await check(bytes)).toBeNull();
  });

  it(
    `are the same requests (seed ${FUZZ.seed}, ${FUZZ.runs} streams)`,
    async () => {
      console.log(`fuzzing requests: seed ${FUZZ.seed}, ${FUZZ.runs} streams`);
      const random = new Random(FUZZ.seed);
      const [worker] = workersOf(proxy.pid);
      let before = 0;
      for (let turn = 0; turn < FUZZ.runs; turn++) {
        const bytes = requestStream(random);
        const problem = await check(bytes);
        if (problem !== null) {
          const small = await shrink(bytes, async (candidate) => (await check(candidate)) !== null);
          const note = `${(await check(small)) ?? problem} (seed ${FUZZ.seed}, turn ${turn})`;
          const file = FUZZ.save
            ? saveFound(`requests-${FUZZ.seed}-${turn}`, { kind: 'requests', bytes: small, note })
            : '';
          expect.fail(`${note}\n${JSON.stringify(small)}\n${file}`);
        }
        if (turn === Math.min(500, FUZZ.runs >> 1)) before = rss(worker!);
      }
      console.log(`${compared} requests came through`);
      expect(compared, 'requests that came through').toBeGreaterThan(FUZZ.runs);
      expect(workersOf(proxy.pid), 'no worker died').toEqual([worker]);
      expect(proxy.output()).not.toMatch(/uncaught|failed in the proxy/);
      expect(rss(worker!) - before, 'bytes gained').toBeLessThan(MAX_GROWTH);
    },
    FUZZ.timeoutMs,
  );
});
