import { manyHost } from '../load/load.ts';

/** The configuration of many routers: `line` for each host, one after the other. */
export function forHosts(routers: number, line: (host: string, index: number) => string): string {
  return Array.from({ length: routers }, (_, index) => line(manyHost(index), index)).join('\n');
}
