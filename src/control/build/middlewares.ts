import { IMPLEMENTED_MIDDLEWARES, SAFE_TO_SKIP } from '../../core/capabilities.ts';
import type { Middleware, MiddlewareType } from '../../core/config/dynamic.ts';
import type { MiddlewareSnapshot } from '../../core/snapshot.ts';
import { checkMiddleware } from './check-middleware.ts';
import type { EntryPoints } from './entry-points.ts';
import { type Findings, Subject } from './findings.ts';
import type { Entries, Entry } from './merge.ts';
import { qualify, spelledAs } from './names.ts';
import type { Reader } from './reader.ts';
import { readUsers } from './users.ts';

/** What using a middleware means for a router. */
export type MiddlewareUse =
  | { readonly kind: 'served' }
  /** Not done by this version; nothing is less safe without it. */
  | { readonly kind: 'skipped'; readonly reason: string }
  /** To go on without it would be unsafe: requests are answered 500. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** The router is disabled. */
  | { readonly kind: 'broken'; readonly reason: string };

export interface Middlewares {
  readonly snapshots: Readonly<Record<string, MiddlewareSnapshot>>;
  /** What a reference by qualified name comes to; a name that does not exist is undefined. */
  readonly use: (name: string) => MiddlewareUse | undefined;
}

interface Checking {
  readonly findings: Findings;
  readonly reader: Reader;
  readonly entries: Entries<Middleware>;
  readonly snapshots: Record<string, MiddlewareSnapshot>;
  readonly uses: Map<string, MiddlewareUse>;
  /** Names on the way down a chain: a name met again closes a circle. */
  readonly path: string[];
}

/** Longest way down through chains of chains. */
const MAX_CHAIN_DEPTH = 32;

/** Checks every middleware, chains after their members. */
export function checkMiddlewares(entries: Entries<Middleware>, reader: Reader, findings: Findings): Middlewares {
  const checked: Record<string, MiddlewareSnapshot> = {};
  const state: Checking = { findings, reader, entries, snapshots: checked, uses: new Map(), path: [] };
  for (const entry of entries.values()) check(entry, state);
  // In the order written, not in the order in which chains were resolved.
  const snapshots: Record<string, MiddlewareSnapshot> = {};
  for (const name of entries.keys()) snapshots[name] = checked[name]!;
  return { snapshots, use: (name) => state.uses.get(name) };
}

/** Says which middlewares no router, no entry point and no chain uses. */
export function reportUnusedMiddlewares(
  entries: Entries<Middleware>,
  used: ReadonlySet<string>,
  entryPoints: EntryPoints,
  findings: Findings,
): void {
  const reached = new Set(used);
  for (const { provider, value } of entries.values()) {
    for (const name of value?.chain?.middlewares ?? []) reached.add(qualify(name, provider));
  }
  // An entry point names those of files, whether or not it has a router yet.
  for (const { middlewares } of entryPoints.models.values()) {
    for (const name of middlewares) reached.add(qualify(name, 'file'));
  }
  for (const entry of entries.values()) {
    if (entry.value === undefined || reached.has(entry.name)) continue;
    findings.add('info', 'unused-middleware', `nothing uses the middleware "${entry.name}"`, entry.place);
  }
}

function check(entry: Entry<Middleware>, state: Checking): MiddlewareUse {
  const known = state.uses.get(entry.name);
  if (known !== undefined) return known;
  const subject = new Subject(state.findings, entry.place);
  const { config, use } = judge(entry, subject, state);
  state.uses.set(entry.name, use);
  state.snapshots[entry.name] = {
    name: entry.name,
    status: subject.status,
    errors: subject.errors,
    config,
    ...(use.kind === 'skipped' && config.chain === undefined ? { skip: true } : {}),
  };
  return use;
}

function judge(
  entry: Entry<Middleware>,
  subject: Subject,
  state: Checking,
): { readonly config: Middleware; readonly use: MiddlewareUse } {
  const config = entry.value;
  if (config === undefined) {
    for (const problem of entry.problems) subject.disable(problem);
    return { config: {}, use: broken(entry.name) };
  }
  const type = Object.keys(config)[0] as MiddlewareType;
  if (!IMPLEMENTED_MIDDLEWARES.has(type)) {
    const skip = SAFE_TO_SKIP.has(type);
    const reason = `middleware "${entry.name}": ${type} is not implemented yet`;
    subject.warning('not-implemented', `${reason}${skip ? '; it is left out' : ''}`, {
      at: [type],
      hint: skip ? undefined : 'routers that use it answer 500, as going on without it would be unsafe',
    });
    return { config, use: { kind: skip ? 'skipped' : 'refused', reason } };
  }
  if (config.chain !== undefined) return checkChain(entry, config.chain.middlewares, subject, state);
  checkMiddleware(config, subject);
  if (config.basicAuth !== undefined) {
    const users = readUsers(config.basicAuth, subject, state.reader);
    const use = users.refuse === undefined ? null : ({ kind: 'refused', reason: users.refuse } as const);
    return { config: { basicAuth: users.config }, use: use ?? outcome(entry.name, subject) };
  }
  return { config, use: outcome(entry.name, subject) };
}

function outcome(name: string, subject: Subject): MiddlewareUse {
  return subject.status === 'disabled' ? broken(name) : { kind: 'served' };
}

function broken(name: string): MiddlewareUse {
  return { kind: 'broken', reason: `middleware "${name}" has errors` };
}

/** A chain is as good as the worst of its members. */
function checkChain(
  entry: Entry<Middleware>,
  written: readonly string[],
  subject: Subject,
  state: Checking,
): { readonly config: Middleware; readonly use: MiddlewareUse } {
  const members = written.map((name) => qualify(name, entry.provider));
  const config = { chain: { middlewares: members } };
  if (members.length === 0) {
    subject.warning('empty-chain', `chain "${entry.name}" has no middlewares`, { at: ['chain'] });
  }
  let worst: MiddlewareUse = { kind: 'served' };
  state.path.push(entry.name);
  members.forEach((name, index) => {
    const at = { at: ['chain', 'middlewares', index], value: true };
    const start = state.path.indexOf(name);
    if (start !== -1 || state.path.length > MAX_CHAIN_DEPTH) {
      const way = [...state.path.slice(Math.max(0, start)), name].join(' -> ');
      const message =
        start === -1 ? `chains are nested deeper than ${MAX_CHAIN_DEPTH}` : `chain contains itself: ${way}`;
      subject.error(start === -1 ? 'chain-too-deep' : 'chain-cycle', message, {
        ...at,
        hint: 'remove one of the links',
      });
      worst = worse(worst, broken(entry.name));
      return;
    }
    const member = state.entries.get(name);
    if (member === undefined) {
      const hint = state.findings.didYouMean(written[index]!, () =>
        spelledAs(written[index]!, entry.provider, state.entries.keys()),
      );
      subject.error('unknown-middleware', `middleware "${name}" does not exist`, { ...at, hint });
      worst = worse(worst, broken(entry.name));
      return;
    }
    const use = check(member, state);
    if (use.kind === 'broken') subject.error('broken-middleware', use.reason, at);
    else if (use.kind !== 'served') subject.degrade(use.reason);
    worst = worse(worst, use.kind === 'broken' ? broken(entry.name) : use);
  });
  state.path.pop();
  return { config, use: worst };
}

const RANK = { served: 0, skipped: 1, refused: 2, broken: 3 } as const;

function worse(a: MiddlewareUse, b: MiddlewareUse): MiddlewareUse {
  return RANK[b.kind] > RANK[a.kind] ? b : a;
}
