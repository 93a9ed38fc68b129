/**
 * A coarse clock for deadlines: reading it costs nothing, and deadlines of seconds need no better. Whole milliseconds of
 * a monotonic clock, advanced every {@link RESOLUTION_MS}: whole, so that adding and taking away again is exact.
 */
export const RESOLUTION_MS = 250;
/** What one step of {@link clock.awake} counts at most. */
const LONGEST_STEP_MS = 2 * RESOLUTION_MS;

const begun = performance.now();

export const clock = {
  now: Math.trunc(begun),
  /**
   * As `now`, without the time in which this process did not run: it was stopped, its machine slept, or it got no processor.
   * What peers sent meanwhile waits to be read, so the silence of a peer is measured by this.
   */
  awake: Math.trunc(begun),
};

/** performance.now() at the last step, less the part of a millisecond that this did not count. */
let steppedAt = begun;

/** {@link clock.awake} as it would be if it were advanced now, rounded up: for deadlines that must not come early. */
export function awakeNow(): number {
  return clock.awake + Math.min(Math.ceil(performance.now() - steppedAt), LONGEST_STEP_MS);
}

type Tick = (now: number) => void;
const ticks = new Set<Tick>();

setInterval(() => {
  const now = performance.now();
  const step = Math.trunc(now - steppedAt);
  clock.awake += Math.min(step, LONGEST_STEP_MS);
  steppedAt += step;
  clock.now = Math.trunc(now);
  // What came while the process stood still is read first: it was in time.
  setImmediate(act);
}, RESOLUTION_MS).unref();

function act(): void {
  for (const tick of ticks) tick(clock.now);
}

/** Calls `tick` each time the clock advances, until the returned function is called. */
export function onTick(tick: Tick): () => void {
  ticks.add(tick);
  return () => ticks.delete(tick);
}

/** As setTimeout, in {@link clock.awake}. @returns cancels it */
export function afterAwake(ms: number, act: () => void): () => void {
  const due = awakeNow() + ms;
  const look = (): void => {
    const left = due - awakeNow();
    if (left <= 0) act();
    else timer = setTimeout(look, left);
  };
  let timer = setTimeout(look, ms);
  return () => clearTimeout(timer);
}
