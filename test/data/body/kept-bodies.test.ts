import { describe, expect, it } from 'vitest';
import { BodyMemory } from '../../../src/data/body/body-memory.ts';
import { BodyTee } from '../../../src/data/body/body-tee.ts';
import { RecordedBody } from '../../../src/data/body/recorded-body.ts';
import type { RequestBodySink, RequestBodySource } from '../../../src/data/exchange.ts';

/** A body that comes as the test says. */
class Source implements RequestBodySource {
  sink: RequestBodySink | null = null;
  readBody(sink: RequestBodySink): void {
    this.sink = sink;
  }
  resumeBody(): void {}
}

function reader(): RequestBodySink & { text: string; ended: boolean } {
  return {
    text: '',
    ended: false,
    data(chunk) {
      this.text += chunk.toString('latin1');
      return true;
    },
    end() {
      this.ended = true;
    },
  };
}

describe('a recorded body', () => {
  it('is kept while there is room for it, and gives the room back', () => {
    const memory = new BodyMemory(10);
    const source = new Source();
    const body = new RecordedBody(source, 100, memory);
    const first = reader();
    body.readBody(first);
    source.sink!.data(Buffer.from('abcde'));
    expect([memory.held, body.replayable]).toEqual([5, true]);
    source.sink!.data(Buffer.from('fghijk'));
    expect([memory.held, body.replayable, first.text]).toEqual([0, false, 'abcdefghijk']);
    source.sink!.data(Buffer.from('l'));
    source.sink!.end(null);
    expect([memory.held, first.text, first.ended]).toEqual([0, 'abcdefghijkl', true]);
  });

  it('gives its room back when it is released, once', () => {
    const memory = new BodyMemory(10);
    const source = new Source();
    const body = new RecordedBody(source, 100, memory);
    body.readBody(reader());
    source.sink!.data(Buffer.from('abcde'));
    body.release();
    body.release();
    expect([memory.held, body.replayable]).toEqual([0, false]);
  });

  it('that is looked at is looked at no longer where there is no room, and is all there for who reads it', async () => {
    const memory = new BodyMemory(4);
    const source = new Source();
    const body = new RecordedBody(source, 100, memory);
    let done = false;
    body.peek({
      isEnough: () => false,
      done: () => {
        done = true;
      },
    });
    source.sink!.data(Buffer.from('abc'));
    expect(source.sink!.data(Buffer.from('def'))).toBe(false);
    await Promise.resolve();
    expect([done, body.bytes.toString()]).toEqual([true, 'abcdef']);
    const after = reader();
    body.readBody(after);
    expect([after.text, memory.held, body.replayable]).toEqual(['abcdef', 0, false]);
  });
});

describe('a copy of a body', () => {
  const copy = (memory: BodyMemory, limit = 100) => {
    const source = new Source();
    const copies: (string | null)[] = [];
    const tee = new BodyTee(source, limit, memory, (bytes) => copies.push(bytes === null ? null : bytes.toString()));
    const main = reader();
    tee.readBody(main);
    return { tee, sink: source.sink!, copies, main };
  };

  it('is given when it is whole, and takes room until then', () => {
    const memory = new BodyMemory(10);
    const { sink, copies } = copy(memory);
    sink.data(Buffer.from('ab'));
    sink.data(Buffer.from('cd'));
    expect([memory.held, copies]).toEqual([4, []]);
    sink.end(null);
    expect([memory.held, copies]).toEqual([0, ['abcd']]);
  });

  it('is not made where there is no room, or it is too large; the body goes on', () => {
    const memory = new BodyMemory(3);
    const one = copy(memory);
    one.sink.data(Buffer.from('ab'));
    const two = copy(memory);
    two.sink.data(Buffer.from('xy'));
    two.sink.end(null);
    expect([memory.held, two.copies, two.main.text, two.main.ended]).toEqual([2, [null], 'xy', true]);
    one.sink.end(null);
    expect(one.copies).toEqual(['ab']);
    const three = copy(memory, 1);
    three.sink.data(Buffer.from('ab'));
    three.sink.end(null);
    expect([memory.held, three.copies, three.main.text]).toEqual([0, [], 'ab']);
  });

  it('is forgotten with its request', () => {
    const memory = new BodyMemory(10);
    const { tee, sink, copies } = copy(memory);
    sink.data(Buffer.from('ab'));
    tee.forget();
    tee.forget();
    sink.end(null);
    expect([memory.held, copies]).toEqual([0, []]);
  });
});
