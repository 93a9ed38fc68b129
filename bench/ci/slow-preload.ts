/**
 * Loaded into a proxy by `--import` to make it slower by a known amount. Work, not time, so that a slow machine has the
 * same share of it: some two thirds of what a small request costs, in two writes.
 */
import { Socket } from 'node:net';

const STEPS = 600;
let sink = 1;

// Below `write()`, which the proxy does without where it can.
const { _write } = Socket.prototype;
Socket.prototype._write = function slowWrite(this: Socket, ...args: Parameters<typeof _write>): void {
  for (let step = 0; step < STEPS; step += 1) sink = (Math.imul(sink, 1_103_515_245) + 12_345) | 0;
  _write.apply(this, args);
};
