/**
 * A coarse clock for deadlines: reading it costs nothing, and deadlines of seconds need no better. Milliseconds of a
 * monotonic clock, advanced every {@link RESOLUTION_MS}.
 */
export const RESOLUTION_MS = 250;

export const clock = { now: Math.trunc(performance.now()) };

type Tick = (now: number) => void;
const ticks = new Set<Tick>();

setInterval(() => {
  clock.now = Math.trunc(performance.now());
  for (const tick of ticks) tick(clock.now);
}, RESOLUTION_MS).unref();

/** Calls `tick` each time the clock advances, until the returned function is called. */
export function onTick(tick: Tick): () => void {
  ticks.add(tick);
  return () => ticks.delete(tick);
}
