import { describe, expect, it } from 'vitest';
import { addReports, EMPTY_REPORT } from '../../src/control/report-sum.ts';
import type { Report } from '../../src/core/messages.ts';
import { BUCKETS_MS, type StreamFigures } from '../../src/core/streams.ts';

function streams(count: number): StreamFigures {
  const buckets = [count, ...BUCKETS_MS.map(() => 0)];
  return {
    streams: count,
    broken: 0,
    cancelled: 1,
    events: 10,
    firstPiece: buckets,
    gap: buckets,
    duration: buckets,
  };
}

const one: Report = {
  requests: 3,
  connections: 2,
  errors: { CLIENT_GONE: 1 },
  retries: { 'a@file': 1 },
  mirrorsDropped: 4,
  streams: { 'a@file': streams(1) },
  accessLogDropped: 5,
  logDropped: 6,
};

describe('the reports of several workers', () => {
  it('are added up, by error and by service', () => {
    const sum = addReports(one, {
      ...one,
      errors: { CLIENT_GONE: 2, UPSTREAM_CLOSED: 1 },
      retries: { 'b@file': 7 },
      streams: { 'a@file': streams(2), 'b@file': streams(5) },
    });
    expect(sum).toMatchObject({
      requests: 6,
      connections: 4,
      errors: { CLIENT_GONE: 3, UPSTREAM_CLOSED: 1 },
      retries: { 'a@file': 1, 'b@file': 7 },
      mirrorsDropped: 8,
      accessLogDropped: 10,
      logDropped: 12,
    });
    expect([sum.streams['a@file']?.streams, sum.streams['a@file']?.gap[0], sum.streams['b@file']?.streams]).toEqual([
      3, 3, 5,
    ]);
  });

  it('change nothing that was reported, and an empty one adds nothing', () => {
    const before = structuredClone(one);
    addReports(one, one);
    expect(one).toEqual(before);
    expect(addReports(EMPTY_REPORT, one)).toEqual(one);
    expect(EMPTY_REPORT.requests).toBe(0);
  });
});
