/** How many connections one worker has open: in all, and by client address. What changed, or all of it. */
export interface ConnectionCounts {
  readonly total: number;
  /** Address → connections; 0 = none any more. */
  readonly addresses: Readonly<Record<string, number>>;
}
