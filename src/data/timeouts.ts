/** Limits of one request, in milliseconds; 0 = none. */
export interface Timeouts {
  /** Until a connection is made, each time. */
  readonly connect: number;
  /** From the end of the request to the first byte of its response. */
  readonly firstByte: number;
  /** Longest silence within the response's body, while the client takes it. */
  readonly idle: number;
  /** From the request to the end of the response, queueing and retries included. */
  readonly total: number;
}
