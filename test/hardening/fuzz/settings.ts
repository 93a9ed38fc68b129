/** How long to search, and from where. The suite's run is short and always the same; `npm run fuzz` sets the rest. */
export const FUZZ = {
  seed: Number(process.env.FUZZ_SEED ?? 20_261_125),
  /** Streams in each direction. */
  runs: Number(process.env.FUZZ_RUNS ?? 1_500),
  /** Whether what is found becomes a corpus file. */
  save: process.env.FUZZ_SAVE === '1',
  /** Milliseconds for each direction. */
  timeoutMs: Number(process.env.FUZZ_RUNS ?? 1_500) * 100 + 60_000,
} as const;

/** Memory that a worker may gain over a run, beyond what its heap takes to warm up. */
export const MAX_GROWTH = 96 * 1024 * 1024;
