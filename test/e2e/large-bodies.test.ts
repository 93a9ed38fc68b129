import { createHash } from 'node:crypto';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpUpstream, startHttpUpstream } from '../support/http-upstreams.ts';
import { type ProxyProcess, startProxy } from '../support/proxy.ts';
import { rss, workersOf } from './setup.ts';

const MIB = 1024 * 1024;
/** Enough for several garbage collections; more than the worker may ever hold, so that a proxy that buffers is seen. */
const WARM_UP_BLOCKS = 160;
/** Of one size, so that a body is a number of these and its digest is known from the block alone. */
const BLOCK = Buffer.alloc(MIB, Buffer.from(Array.from({ length: 251 }, (_, index) => index)));

let source: HttpUpstream;
let sink: HttpUpstream;
let proxy: ProxyProcess;
let worker: number;
/** Resident memory of the worker before its first request, in MiB. */
let idle: number;
/** Bytes that the source has given away for the response under way. */
let handedOut = 0;

function* body(blocks: number): Generator<Buffer> {
  for (let i = 0; i < blocks; i++) yield BLOCK;
}

function* counted(blocks: number): Generator<Buffer> {
  for (const block of body(blocks)) {
    handedOut += block.length;
    yield block;
  }
}

beforeAll(async () => {
  source = await startHttpUpstream(async (request, response) => {
    const blocks = Number(new URL(request.url ?? '/', 'http://source').searchParams.get('blocks'));
    response.writeHead(200, { 'Content-Length': blocks * MIB });
    handedOut = 0;
    await pipeline(counted(blocks), response);
  });
  sink = await startHttpUpstream(async (request, response) => {
    const hash = createHash('sha256');
    let length = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      hash.update(chunk);
      length += chunk.length;
    }
    response.end(JSON.stringify({ length, sha256: hash.digest('hex') }));
  });
  proxy = await startProxy({
    workers: 1,
    dynamic: {
      http: {
        routers: {
          source: { rule: 'Host(`source.test`)', service: 'source' },
          sink: { rule: 'Host(`sink.test`)', service: 'sink' },
        },
        services: Object.fromEntries(
          Object.entries({ source, sink }).map(([name, { url }]) => [name, { loadBalancer: { servers: [{ url }] } }]),
        ),
      },
    },
  });
  const [only] = workersOf(proxy.pid);
  if (only === undefined) throw new Error(`no worker:\n${proxy.output()}`);
  worker = only;
  idle = rss(worker) / MIB;
});

afterAll(async () => {
  await proxy.stop();
  await Promise.all([source, sink].map((upstream) => upstream.close()));
});

/** Result of some work, and the most resident memory (MiB) that the worker had meanwhile, looked at all the time. */
async function watched<T>(work: () => Promise<T>): Promise<{ result: T; most: number }> {
  let most = rss(worker);
  const look = (): void => {
    most = Math.max(most, rss(worker));
  };
  const timer = setInterval(look, 20);
  try {
    const result = await work();
    look();
    return { result, most: most / MIB };
  } finally {
    clearInterval(timer);
  }
}

interface Received {
  readonly length: number;
  readonly sha256: string;
}

function get(host: string, path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { port: proxy.port(), host: '127.0.0.1', path, headers: { host }, agent: false },
      resolve,
    );
    request.on('error', reject).end();
  });
}

async function consume(response: IncomingMessage): Promise<Received> {
  const hash = createHash('sha256');
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    hash.update(chunk);
    length += chunk.length;
  }
  expect(response.statusCode).toBe(200);
  return { length, sha256: hash.digest('hex') };
}

/** Sends that many blocks as fast as they are taken. */
async function upload(blocks: number, chunked: boolean): Promise<Received> {
  const headers = { host: 'sink.test', ...(chunked ? {} : { 'content-length': blocks * MIB }) };
  const request = httpRequest({ port: proxy.port(), host: '127.0.0.1', method: 'POST', headers, agent: false });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve).once('error', reject);
  });
  const [response] = await Promise.all([answered, pipeline(body(blocks), request)]);
  let text = '';
  for await (const part of response.setEncoding('utf8') as AsyncIterable<string>) text += part;
  expect(response.statusCode).toBe(200);
  return JSON.parse(text) as Received;
}

function digest(blocks: number): string {
  const hash = createHash('sha256');
  for (let i = 0; i < blocks; i++) hash.update(BLOCK);
  return hash.digest('hex');
}

/**
 * The most memory during a long transfer against the most during a short one: between two garbage collections memory
 * rises and falls by tens of MiB whatever the length, so a single look before would compare a valley with a peak.
 */
async function expectFlat(
  what: string,
  blocks: number,
  transfer: (blocks: number) => Promise<Received>,
): Promise<void> {
  const warm = await watched(() => transfer(WARM_UP_BLOCKS));
  const { result, most } = await watched(() => transfer(blocks));
  expect(result).toEqual({ length: blocks * MIB, sha256: digest(blocks) });
  const numbers = [idle, warm.most, most].map(Math.round).join(', ');
  console.log(`${what}: MiB of the worker idle at first, at most in the warm-up, at most: ${numbers}`);
  expect(most - warm.most).toBeLessThan(64);
  // And the warm-up itself must not be what fills the memory.
  expect(most - idle).toBeLessThan(WARM_UP_BLOCKS);
}

describe('a large body goes through with flat memory', () => {
  it('1 GiB down', () =>
    expectFlat('1 GiB down', 1024, async (blocks) => consume(await get('source.test', `/?blocks=${blocks}`))));

  it.each([
    ['with a length', false],
    ['chunked', true],
  ])('512 MiB up, %s', (name, chunked) => expectFlat(`512 MiB up, ${name}`, 512, (blocks) => upload(blocks, chunked)));
});

describe('a slow reader', () => {
  it('stops the upstream instead of filling the proxy, and gets the rest when it reads on', async ({
    onTestFailed,
  }) => {
    const blocks = 256;
    let length = 0;
    onTestFailed(() => {
      console.log(`read ${length} bytes; the source gave away ${handedOut}, ${source.open} open\n${proxy.output()}`);
    });
    handedOut = 0;
    const response = await get('source.test', `/?blocks=${blocks}`);
    const hash = createHash('sha256');
    let pause: Promise<void> | undefined;
    const readNothing = async (): Promise<void> => {
      response.pause();
      const before = rss(worker) / MIB;
      const { most } = await watched(() => sleep(2_000));
      console.log(`a reader that stopped for 2 s: the worker grew by ${(most - before).toFixed(1)} MiB`);
      expect(most - before).toBeLessThan(50);
      // What is under way lies in socket buffers of the kernel, and is far from all.
      expect(handedOut).toBeLessThan((blocks / 2) * MIB);
      response.resume();
    };
    await new Promise<void>((resolve, reject) => {
      response.on('error', reject).on('end', resolve);
      response.on('data', (chunk: Buffer) => {
        hash.update(chunk);
        length += chunk.length;
        if (length < MIB || pause !== undefined) return;
        pause = readNothing();
        pause.catch(reject);
      });
    });
    expect({ length, sha256: hash.digest('hex') }).toEqual({ length: blocks * MIB, sha256: digest(blocks) });
  });
});
