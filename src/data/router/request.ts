/** What rules look at in a request. */
export interface RouteRequest {
  /** Lower case, no port, no brackets, no one trailing dot: see `normalizeHost`. Empty where the request has none. */
  readonly host: string;
  readonly method: string;
  /** The match path: see `readRequestPath`. */
  readonly path: string;
  /** As received, without the `?`. */
  readonly query: string;
  /** The address of the peer (after the PROXY protocol), never of X-Forwarded-For. */
  readonly clientIp: string;
  /** The first value of a header, by its lower-case name. */
  header(lowerName: string): string | undefined;
  /** All values of a header, by its lower-case name. */
  headerValues(lowerName: string): readonly string[];
}
