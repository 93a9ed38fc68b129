import type { Gauge } from 'prom-client';
import type { ProxyStatus } from '../status.ts';

/** Makes a gauge in the registry of a scrape. */
export type MakeGauge = <T extends string>(name: string, help: string, labelNames: readonly T[]) => Gauge<T>;

/** What is counted of services: retries, places at servers with a limit, streams. */
export function addServices(make: MakeGauge, { services, mirrorsDropped }: ProxyStatus): void {
  make('phoenix_mirrors_dropped_total', 'Copies for mirrors that were left out', []).set(mirrorsDropped);
  const retries = make('traefik_service_retries_total', 'Requests that were sent again, or to another server', [
    'service',
  ]);
  const inUse = make('phoenix_service_slots_in_use', 'Places in use at a server with a limit', ['service', 'url']);
  const waiting = make('phoenix_service_queue_waiting', 'Requests that wait for a place', ['service']);
  const refused = make('phoenix_service_queue_refused_total', 'Requests that found no place to wait', ['service']);
  const streams = make('phoenix_service_streams_total', 'Streamed responses', ['service']);
  const broken = make('phoenix_service_streams_broken_total', 'Streams that ended too early', ['service']);
  const cancelled = make('phoenix_service_streams_cancelled_total', 'Streams that the client left', ['service']);
  const events = make('phoenix_service_stream_events_total', 'Events, or lines, of streams', ['service']);
  const first = make('phoenix_service_stream_first_piece_seconds', 'Time to the first piece', ['service', 'quantile']);
  const gap = make('phoenix_service_stream_gap_seconds', 'Time between two pieces', ['service', 'quantile']);
  for (const { name: service, retries: count, slots, streams: seen } of services) {
    retries.set({ service }, count);
    if (slots !== null) {
      for (const [url, n] of Object.entries(slots.inUse)) inUse.set({ service, url }, n);
      waiting.set({ service }, slots.waiting);
      refused.set({ service }, slots.refused);
    }
    if (seen === null) continue;
    streams.set({ service }, seen.count);
    broken.set({ service }, seen.broken);
    cancelled.set({ service }, seen.cancelled);
    events.set({ service }, seen.events);
    for (const [quantile, key] of [
      ['0.5', 'p50'],
      ['0.95', 'p95'],
      ['0.99', 'p99'],
    ] as const) {
      first.set({ service, quantile }, seen.firstPieceMs[key] / 1_000);
      gap.set({ service, quantile }, seen.betweenPiecesMs[key] / 1_000);
    }
  }
}
