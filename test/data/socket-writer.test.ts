import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { SocketWriter } from '../../src/data/socket-writer.ts';
import { keepAfterWriteError } from '../../src/data/upstream/keep-reading.ts';
import { waitFor } from '../support/wait-for.ts';

const open: { destroy(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.destroy();
});

/** Both ends of a connection; the far one does not read until it is told to. */
async function pair(): Promise<{ near: Socket; far: Socket }> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const far = once(server, 'connection') as Promise<[Socket]>;
  const near = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  await once(near, 'connect');
  const [accepted] = await far;
  server.close();
  open.push(near, accepted);
  return { near, far: accepted };
}

function readAll(socket: Socket): { text(): string } {
  const pieces: Buffer[] = [];
  socket.on('data', (piece: Buffer) => pieces.push(piece));
  socket.resume();
  return { text: () => Buffer.concat(pieces).toString('latin1') };
}

/** Fills the kernel's buffers, so that a direct write is left half done. */
function jam(writer: SocketWriter): string {
  let sent = '';
  for (let i = 0; writer.pending === 0; i++) {
    const text = `${i}.`.padEnd(16_000, String(i % 10));
    writer.hold(text);
    writer.flush();
    sent += text;
  }
  return sent;
}

describe('a socket writer', () => {
  it('writes what is held in one piece, byte for byte', async () => {
    const { near, far } = await pair();
    const got = readAll(far);
    const writer = new SocketWriter(near);
    writer.hold('a\xff');
    writer.hold('b');
    writer.flush();
    await waitFor('the bytes', () => got.text() === 'a\xffb');
    expect(near.bytesWritten).toBe(3);
    expect(writer.pending).toBe(0);
  });

  it('keeps the order and the count of what a reader does not take', async () => {
    const { near, far } = await pair();
    const writer = new SocketWriter(near);
    let sent = jam(writer);
    expect(writer.pending).toBeGreaterThan(0);
    let drained = 0;
    near.on('drain', () => drained++);
    const large = Buffer.alloc(100_000, 'L');
    writer.hold('before');
    expect(writer.write(large)).toBe(false);
    writer.hold('after');
    writer.flush();
    near.write('by the socket itself');
    sent += `before${large.toString('latin1')}afterby the socket itself`;
    expect(near.writableNeedDrain).toBe(true);
    const got = readAll(far);
    await waitFor('the bytes', () => got.text().length === sent.length);
    expect(got.text()).toBe(sent);
    await waitFor('all to be sent', () => writer.pending === 0);
    expect(drained).toBe(1);
    expect(near.writableCorked).toBe(0);
  });

  it.each(['end', 'destroySoon'] as const)(
    'loses nothing when %s() comes while a write is half done',
    async (close) => {
      const { near, far } = await pair();
      const writer = new SocketWriter(near);
      let sent = jam(writer);
      writer.hold('the last words');
      writer.flush();
      sent += 'the last words';
      near[close]();
      const got = readAll(far);
      await once(far, 'end');
      expect(got.text()).toBe(sent);
    },
  );

  it('takes back what was held since the mark and is not written', async () => {
    const { near, far } = await pair();
    const got = readAll(far);
    const writer = new SocketWriter(near);
    writer.hold('first.');
    writer.mark();
    writer.hold('second.');
    writer.takeBack();
    writer.flush();
    writer.mark();
    writer.hold('third.');
    writer.flush();
    writer.hold('fourth.');
    writer.takeBack();
    writer.flush();
    near.end();
    await once(far, 'end');
    expect(got.text()).toBe('first.third.');
  });

  it('holds no more than its limit', async () => {
    const { near, far } = await pair();
    const got = readAll(far);
    const writer = new SocketWriter(near);
    for (let i = 0; i < 200; i++) writer.hold('x'.repeat(1_000));
    await waitFor('the bytes', () => got.text().length > 180_000);
  });

  it('tells an error of a direct write as the stream would', async () => {
    const { near, far } = await pair();
    const writer = new SocketWriter(near);
    far.resetAndDestroy();
    near.on('error', () => {});
    await waitFor('the error', () => {
      writer.hold('to nobody');
      writer.flush();
      return near.destroyed;
    });
    // A write to a socket that is gone harms nobody.
    writer.hold('x');
    writer.flush();
    await new Promise((resolve) => setImmediate(resolve));
  });

  it('leaves a socket that is to be read on after an error to its owner', async () => {
    const { near, far } = await pair();
    keepAfterWriteError(near);
    const writer = new SocketWriter(near);
    const errors: NodeJS.ErrnoException[] = [];
    near.on('error', (error) => errors.push(error));
    near.pause();
    near.end();
    far.destroy();
    await waitFor('the error', () => {
      writer.hold('too late');
      writer.flush();
      return errors.length > 0;
    });
    expect(errors[0]?.syscall).toBe('write');
    expect(near.destroyed).toBe(false);
  });

  it('hands over what it holds to the stream, which then knows of all that is not sent', async () => {
    const { near, far } = await pair();
    const got = readAll(far);
    const written: unknown[] = [];
    const write = near.write.bind(near);
    near.write = (...args: unknown[]) => {
      written.push(args[0]);
      return Reflect.apply(write, near, args) as boolean;
    };
    const writer = new SocketWriter(near);
    writer.hold('HTTP/1.1 101 ');
    writer.hold('Switching Protocols\r\n\r\n');
    writer.handOver();
    writer.flush();
    expect(written).toEqual(['HTTP/1.1 101 Switching Protocols\r\n\r\n']);
    await waitFor('the bytes', () => got.text() === written[0]);
  });
});
