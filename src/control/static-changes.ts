import { isDeepStrictEqual } from 'node:util';
import type { EntryPoint, StaticConfig } from '../core/config/static.ts';

/** What of a changed static configuration a running proxy takes, and what waits for a restart. */
export interface StaticChanges {
  /** To be served from now on. */
  readonly config: StaticConfig;
  /** Settings that are taken at once: `entryPoints.web.transport`. */
  readonly taken: readonly string[];
  /** Settings that need a restart of the proxy. */
  readonly needsRestart: readonly string[];
}

/** Of an entry point: what the sockets, made at start, depend on. */
const FIXED: readonly (keyof EntryPoint)[] = ['address', 'reusePort', 'proxyProtocol', 'http2', 'http3', 'udp'];
/** Beside the entry points. (API and ping may bring an entry point of their own, and so a socket.) */
const TAKEN: readonly (keyof StaticConfig)[] = ['serversTransport'];

/** Compares the static configuration that runs with one that was read anew. */
export function takeStaticChanges(running: StaticConfig, read: StaticConfig): StaticChanges {
  const taken: string[] = [];
  const needsRestart: string[] = [];
  const config: Record<string, unknown> = { ...running };
  for (const key of keysOf(running, read)) {
    if (key === 'entryPoints' || isDeepStrictEqual(running[key], read[key])) continue;
    if (!TAKEN.includes(key)) {
      needsRestart.push(key);
      continue;
    }
    taken.push(key);
    if (read[key] === undefined) delete config[key];
    else config[key] = read[key];
  }
  const entryPoints: Record<string, EntryPoint> = {};
  for (const [name, before] of Object.entries(running.entryPoints)) {
    const after = read.entryPoints[name];
    if (after === undefined) {
      needsRestart.push(`entryPoints.${name} (removed)`);
      entryPoints[name] = before;
      continue;
    }
    const merged: Record<string, unknown> = { ...after };
    for (const key of keysOf(before, after)) {
      if (isDeepStrictEqual(before[key], after[key])) continue;
      const path = `entryPoints.${name}.${key}`;
      if (!FIXED.includes(key)) {
        taken.push(path);
        continue;
      }
      needsRestart.push(path);
      if (before[key] === undefined) delete merged[key];
      else merged[key] = before[key];
    }
    entryPoints[name] = merged as unknown as EntryPoint;
  }
  for (const name of Object.keys(read.entryPoints)) {
    if (!Object.hasOwn(running.entryPoints, name)) needsRestart.push(`entryPoints.${name} (added)`);
  }
  return {
    config: { ...(config as unknown as StaticConfig), entryPoints },
    taken: taken.sort(),
    needsRestart: needsRestart.sort(),
  };
}

function keysOf<T extends object>(a: T, b: T): (keyof T)[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])] as (keyof T)[];
}
