import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allTo, rss, workersOf } from '../../e2e/setup.ts';
import { type ProxyProcess, startProxy } from '../../support/proxy.ts';
import { RawClient } from '../../support/raw-client.ts';
import { readFound, saveFound, shrink } from './found.ts';
import { type Peers, type ReadingClient, type ReadResponse, startPeers } from './peer.ts';
import { Random } from './random.ts';
import { responseEnd } from './response-end.ts';
import { FUZZ, MAX_GROWTH } from './settings.ts';
import { responseStream } from './streams.ts';

/**
 * Random answers of an upstream, once through the proxy and once straight to clients whose parsers are not ours: what the
 * proxy passes on as a complete response must be that response to each of them. What it refuses they may read as they like.
 */

let peers: Peers;
let proxy: ProxyProcess;
let upstream: Server;
let url = '';
let bytesOfAnswer = '';
const sockets = new Set<Socket>();

beforeAll(async () => {
  peers = await startPeers();
  if (peers.missing !== null) console.log(peers.missing);
  upstream = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    let head = '';
    socket.on('data', (chunk: Buffer) => {
      head += chunk.toString('latin1');
      if (head.endsWith('\r\n\r\n')) socket.end(Buffer.from(bytesOfAnswer, 'latin1'));
    });
  });
  upstream.listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  url = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  proxy = await startProxy({ static: { entryPoints: { web: {} } }, dynamic: allTo(url) });
}, 300_000);
afterAll(async () => {
  await proxy?.stop();
  upstream?.close();
  for (const socket of sockets) socket.destroy();
  await peers?.[Symbol.asyncDispose]();
});

let turns = 0;
/** Responses that were passed on, and so compared. */
let compared = 0;

/** What a client of the proxy gets; `error` where it is not complete. */
async function throughProxy(): Promise<ReadResponse> {
  await using client = await RawClient.connect({ port: proxy.port() });
  await client.write('GET /case HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n');
  await client.waitUntil('the end', () => client.closed !== 'no');
  const final = client.split(['GET']).responses.find(({ status }) => status >= 200);
  if (client.split(['GET']).rest.length > 0) throw new Error('bytes behind the response');
  const whole = final?.complete === true && client.closed === 'end';
  return { status: final?.status ?? 0, body: final?.body.toString('latin1') ?? '', error: whole ? '' : 'incomplete' };
}

async function check(bytes: string): Promise<string | null> {
  bytesOfAnswer = bytes;
  let ours: ReadResponse;
  try {
    ours = await throughProxy();
  } catch (error) {
    return `what came of it is no HTTP: ${String(error)}`;
  }
  if (ours.error !== '' || ours.status === 502) return null;
  compared++;
  const whole = Buffer.from(bytes, 'latin1');
  bytesOfAnswer = bytes.slice(0, responseEnd(whole));
  const theirs = await Promise.all(
    peers.clients.map(
      async (client): Promise<[ReadingClient, ReadResponse]> => [client, await client.get(`${url}/case-${++turns}`)],
    ),
  );
  for (const [{ name }, read] of theirs) {
    if (read.error !== '') return `passed on as ${ours.status}, and ${name} says ${read.error}`;
    if (read.status !== ours.status || read.body !== ours.body) {
      return `passed on as ${ours.status} ${JSON.stringify(ours.body)}, ${name} read ${read.status} ${JSON.stringify(read.body)}`;
    }
  }
  return null;
}

describe('responses, read by us and by others', () => {
  it.each(readFound('response'))('found before: $file', async ({ bytes }) => {
    expect(await check(bytes)).toBeNull();
  });

  it(
    `are the same responses (seed ${FUZZ.seed}, ${FUZZ.runs} answers)`,
    async () => {
      console.log(`fuzzing responses: seed ${FUZZ.seed}, ${FUZZ.runs} answers`);
      const random = new Random(FUZZ.seed);
      const [worker] = workersOf(proxy.pid);
      let before = 0;
      for (let turn = 0; turn < FUZZ.runs; turn++) {
        const bytes = responseStream(random);
        const problem = await check(bytes);
        if (problem !== null) {
          const small = await shrink(bytes, async (candidate) => (await check(candidate)) !== null);
          const note = `${(await check(small)) ?? problem} (seed ${FUZZ.seed}, turn ${turn})`;
          const file = FUZZ.save
            ? saveFound(`response-${FUZZ.seed}-${turn}`, { kind: 'response', bytes: small, note })
            : '';
          expect.fail(`${note}\n${JSON.stringify(small)}\n${file}`);
        }
        if (turn === Math.min(500, FUZZ.runs >> 1)) before = rss(worker!);
      }
      console.log(`${compared} were passed on`);
      expect(compared, 'answers that were passed on').toBeGreaterThan(FUZZ.runs / 5);
      expect(workersOf(proxy.pid), 'no worker died').toEqual([worker]);
      expect(proxy.output()).not.toMatch(/uncaught|failed in the proxy/);
      expect(rss(worker!) - before, 'bytes gained').toBeLessThan(MAX_GROWTH);
    },
    FUZZ.timeoutMs,
  );
});
