import { join } from 'node:path';
import type { Peer } from '../peers/peer.ts';
import { phoenix } from '../peers/phoenix.ts';

/** This project with some work added to each write to a socket, by a preload and not in the product: a known regression. */
export const slowed: Peer = {
  ...phoenix,
  name: 'slowed',
  prepare(setting) {
    const line = phoenix.prepare(setting);
    if (line === null) return null;
    const preload = join(import.meta.dirname, 'slow-preload.ts');
    return { ...line, env: { ...line.env, NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --import=${preload}` } };
  },
};
