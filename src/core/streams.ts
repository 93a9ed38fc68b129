/**
 * Upper bounds of the buckets that times are counted in, in milliseconds; one more bucket holds what is above the last. Each
 * worker counts, the primary adds up: nothing grows with the number of streams.
 */
export const BUCKETS_MS: readonly number[] = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000,
];

/** What was measured of the streamed responses (server-sent events, NDJSON) of one service. */
export interface StreamFigures {
  readonly streams: number;
  /** Of these, those that ended before they were complete, by the upstream's fault or because the client left. */
  readonly broken: number;
  readonly cancelled: number;
  /** Events of server-sent events, lines of NDJSON: about as many as tokens. */
  readonly events: number;
  /** Counts by bucket. From the request to the first piece of the body. */
  readonly firstPiece: readonly number[];
  /** Between two pieces. */
  readonly gap: readonly number[];
  /** From the request to the end. */
  readonly duration: readonly number[];
}

/** The sum of two. */
export function addFigures(a: StreamFigures, b: StreamFigures): StreamFigures {
  const sum = (x: readonly number[], y: readonly number[]): number[] => x.map((count, i) => count + (y[i] ?? 0));
  return {
    streams: a.streams + b.streams,
    broken: a.broken + b.broken,
    cancelled: a.cancelled + b.cancelled,
    events: a.events + b.events,
    firstPiece: sum(a.firstPiece, b.firstPiece),
    gap: sum(a.gap, b.gap),
    duration: sum(a.duration, b.duration),
  };
}

/**
 * The value below which a share of what was counted lies, in milliseconds: interpolated within its bucket. 0 where nothing was
 * counted; the last bound where it lies above.
 */
export function quantileOf(buckets: readonly number[], share: number): number {
  const total = buckets.reduce((a, b) => a + b, 0);
  if (total === 0) return 0;
  let rank = share * total;
  for (let i = 0; i < BUCKETS_MS.length; i++) {
    const count = buckets[i]!;
    const from = i === 0 ? 0 : BUCKETS_MS[i - 1]!;
    if (rank <= count && count > 0) return from + (BUCKETS_MS[i]! - from) * (rank / count);
    rank -= count;
  }
  return BUCKETS_MS.at(-1)!;
}
