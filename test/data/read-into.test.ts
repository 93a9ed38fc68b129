import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { readInto } from '../../src/data/read-into.ts';
import { waitFor } from '../support/wait-for.ts';

const open: { destroy(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.destroy();
});

async function accepted(): Promise<{ client: Socket; socket: Socket }> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const connection = once(server, 'connection') as Promise<[Socket]>;
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [socket] = await connection;
  server.close();
  open.push(client, socket);
  return { client, socket };
}

describe('reading into memory of our own', () => {
  it('is possible with this Node', async () => {
    const { client, socket } = await accepted();
    const memory = Buffer.alloc(1_024);
    const seen: string[] = [];
    const used = readInto(
      socket,
      () => memory,
      (n, buffer) => {
        expect(buffer).toBe(memory);
        seen.push(buffer.toString('latin1', 0, n));
        return true;
      },
    );
    expect(used).toBe(true);
    const events: string[] = [];
    socket.on('data', () => events.push('data'));
    socket.on('end', () => events.push('end'));
    client.write('one');
    await waitFor('the reads', () => seen.length === 1);
    client.end('two');
    await waitFor('the reads', () => events.length > 0);
    expect(seen).toEqual(['one', 'two']);
    expect(events).toEqual(['end']);
  });

  it('asks for the memory of the next read', async () => {
    const { client, socket } = await accepted();
    const given: Buffer[] = [];
    const read: Buffer[] = [];
    const next = (): Buffer => {
      const memory = Buffer.alloc(16);
      given.push(memory);
      return memory;
    };
    readInto(socket, next, (n, buffer) => read.push(buffer.subarray(0, n)) > 0);
    client.write('x'.repeat(40));
    await waitFor('the reads', () => Buffer.concat(read).length === 40);
    expect(Buffer.concat(read).toString()).toBe('x'.repeat(40));
    expect(read.every((piece, i) => piece.buffer === given[i]?.buffer)).toBe(true);
  });

  it('stops when told, and goes on', async () => {
    const { client, socket } = await accepted();
    const memory = Buffer.alloc(8);
    let size = 0;
    readInto(
      socket,
      () => memory,
      (n) => {
        size += n;
        return false;
      },
    );
    client.write('x'.repeat(24));
    await waitFor('the reads', () => size === 8);
    for (const expected of [16, 24]) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(size).toBe(expected - 8);
      socket.resume();
      await waitFor('the reads', () => size === expected);
    }
  });

  it('is refused for a socket without a handle', async () => {
    const { socket } = await accepted();
    socket.destroy();
    await once(socket, 'close');
    expect(
      readInto(
        socket,
        () => Buffer.alloc(1),
        () => true,
      ),
    ).toBe(false);
  });
});
