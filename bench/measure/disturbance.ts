import { readFileSync } from 'node:fs';

const TICK_MICROS = 10_000;

/**
 * Microseconds that `processor` has spent so far on any process, plus time stolen by the hypervisor. Interrupt time is
 * left out: it is mostly the packets of the load itself. 0 when nothing is pinned to one processor, so that no disturbance is claimed.
 */
export function readProcessorTime(processor: string | null): number {
  if (processor === null || processor.includes(',')) return 0;
  const line = new RegExp(`^cpu${processor} (.*)$`, 'm').exec(readFileSync('/proc/stat', 'latin1'))?.[1] ?? '';
  // user nice system idle iowait irq softirq steal; see proc(5).
  const [user = 0, nice = 0, system = 0, , , , , steal = 0] = line.split(' ').map(Number);
  return (user + nice + system + steal) * TICK_MICROS;
}
