/**
 * How one attempt at an endpoint ended. An attempt that the client broke off tells nothing of the endpoint and is not told.
 *
 * - `success`: a response with a status below 500 began
 * - `server-error`: a response with a status of 500 or more
 * - `connect-failed`: refused, unreachable, no name, no TLS, not in time
 * - `broken`: reset, closed, unreadable or cut short after the request was sent
 * - `timeout`: connected, and the response did not begin or go on in time
 */
export type Outcome = 'success' | 'server-error' | 'connect-failed' | 'broken' | 'timeout';
