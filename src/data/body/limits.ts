/** What is kept of one body at most, whatever the configuration says: memory is shared by all requests. */
export const MOST_KEPT_BYTES = 16 * 1024 * 1024;
