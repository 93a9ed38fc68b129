import type { Peer } from './peer.ts';

/** No proxy at all: what the load generator and the upstream add to each latency by themselves. */
export const direct: Peer = {
  name: 'direct',
  warmsUp: false,
  lacks: [],
  missing: () => null,
  version: () => '(no proxy)',
  prepare: () => null,
};
