import { quantileOf, type StreamFigures } from '../core/streams.ts';

interface Quantiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

/** Streamed responses of a service as people read them; times in milliseconds, as exact as the buckets are. */
export interface StreamStatus {
  readonly count: number;
  readonly broken: number;
  readonly cancelled: number;
  readonly events: number;
  /** From the request to the first piece of the body: the time to the first token. */
  readonly firstPieceMs: Quantiles;
  readonly betweenPiecesMs: Quantiles;
  readonly durationMs: Quantiles;
}

export function streamStatus(figures: StreamFigures | undefined): StreamStatus | null {
  if (figures === undefined) return null;
  const { streams, broken, cancelled, events, firstPiece, gap, duration } = figures;
  return {
    count: streams,
    broken,
    cancelled,
    events,
    firstPieceMs: quantiles(firstPiece),
    betweenPiecesMs: quantiles(gap),
    durationMs: quantiles(duration),
  };
}

function quantiles(buckets: readonly number[]): Quantiles {
  const at = (share: number): number => Math.round(quantileOf(buckets, share) * 10) / 10;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}
