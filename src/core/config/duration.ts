/** Milliseconds in each unit of Go's `time.ParseDuration`. */
const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3, // U+00B5, micro sign
  μs: 1e-3, // U+03BC, Greek mu: Go takes both
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

const DURATION = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/;
const PART = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g;
const BARE_NUMBER = /^[+-]?\d+$/;

/** Go keeps a duration in 64 bits of nanoseconds, about 292 years; what does not fit there is refused here too. */
const MAX_MS = 9_223_372_036_854;

/**
 * Reads a duration as Traefik's files write it: a Go duration (`1m30s`, `100ms`, `1.5h`, `-1s`), or a whole number of seconds.
 *
 * @returns milliseconds, or `undefined` where the text is no duration
 */
export function parseDuration(value: string | number): number | undefined {
  if (typeof value === 'number') return Number.isInteger(value) ? bounded(value * 1000) : undefined;
  const text = value.trim();
  // Anything longer is no duration, and keeps the patterns below off hostile input.
  if (text.length === 0 || text.length > 64) return undefined;
  if (BARE_NUMBER.test(text)) return bounded(Number(text) * 1000);
  if (!DURATION.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(PART)) total += Number(amount) * UNIT_MS[unit!]!;
  return bounded(text.startsWith('-') ? -total : total);
}

function bounded(ms: number): number | undefined {
  return Math.abs(ms) <= MAX_MS ? ms : undefined;
}
