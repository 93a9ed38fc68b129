import { presentable } from './redact.ts';
import type { ApiState } from './state.ts';

/** An entry point as Traefik's API has it: the static configuration of it, and its name. */
export interface EntryPointView {
  readonly name: string;
  readonly address: string;
}

/** All entry points, those too that follow from other sections (`traefik`). */
export function entryPointViews({ static: config, snapshot }: ApiState): Map<string, EntryPointView> {
  const views = new Map<string, EntryPointView>();
  for (const [name, entryPoint] of Object.entries(config.entryPoints)) {
    views.set(name, { ...(presentable(entryPoint) as { address: string }), name });
  }
  for (const { name, host, port } of Object.values(snapshot.entryPoints)) {
    if (views.has(name)) continue;
    const address = host === '::' ? `:${port}` : `${host.includes(':') ? `[${host}]` : host}:${port}`;
    views.set(name, { address, name });
  }
  return views;
}
