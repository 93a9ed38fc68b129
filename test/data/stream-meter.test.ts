import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addFigures, BUCKETS_MS, quantileOf } from '../../src/core/streams.ts';
import { OpenStream, StreamMeter } from '../../src/data/stream-meter.ts';

describe('events of a stream', () => {
  it('are counted however the bytes are cut', () => {
    const event = fc.constantFrom(
      'data: a\n\n',
      'data: a\ndata: b\n\n',
      ': note\n\n',
      'event: x\r\ndata: y\r\n\r\n',
      'id: 1\n\n',
    );
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 40 }),
        (events, cuts) => {
          const meter = new StreamMeter();
          const stream = new OpenStream(meter, performance.now(), true);
          let rest = Buffer.from(events.join(''));
          for (const cut of cuts) {
            if (rest.length === 0) break;
            stream.piece(rest.subarray(0, cut));
            rest = rest.subarray(cut);
          }
          if (rest.length > 0) stream.piece(rest);
          expect(meter.figures.events).toBe(events.length);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('are lines where the stream is NDJSON', () => {
    const meter = new StreamMeter();
    const stream = new OpenStream(meter, performance.now(), false);
    for (const piece of ['{"a":', '1}\n{"b":2}\n', '\n']) stream.piece(Buffer.from(piece));
    stream.end('complete');
    expect(meter.figures).toMatchObject({ streams: 1, events: 3, broken: 0, cancelled: 0 });
  });
});

describe('figures of streams', () => {
  it('add up, and tell quantiles within the bucket that they are in', () => {
    const meter = new StreamMeter();
    for (let i = 0; i < 90; i++) meter.first(15);
    for (let i = 0; i < 10; i++) meter.first(400);
    const twice = addFigures(meter.figures, meter.figures);
    expect(twice.streams).toBe(200);
    expect(quantileOf(twice.firstPiece, 0.5)).toBeGreaterThan(10);
    expect(quantileOf(twice.firstPiece, 0.5)).toBeLessThanOrEqual(20);
    expect(quantileOf(twice.firstPiece, 0.99)).toBeGreaterThan(200);
    expect(quantileOf(new Array(BUCKETS_MS.length + 1).fill(0), 0.5)).toBe(0);
  });
});
