import type { Path } from '../../core/config/paths.ts';
import type { RouterSnapshot } from '../../core/snapshot.ts';
import { type Place, Subject } from './findings.ts';
import type { Entries } from './merge.ts';
import { INTERNAL } from './names.ts';
import {
  judgeMiddleware,
  type RouterContext,
  type RouterTlsSnapshot,
  resolveMiddleware,
  resolveTls,
} from './references.ts';
import type { CheckedRouter } from './routers.ts';

/** Applies what entry points add to their routers, and checks that once for each entry point. */
export class EntryPointModels {
  readonly #context: RouterContext;
  /** One subject for each entry point, name and provider: its findings are said once, not for each router. */
  readonly #judged = new Map<
    string,
    {
      readonly subject: Subject;
      readonly names: readonly string[];
      readonly refuse?: string;
      readonly tls?: RouterTlsSnapshot;
    }
  >();

  constructor(context: RouterContext) {
    this.#context = context;
  }

  /** The router as it is on each of its entry points; itself where they add nothing. */
  *expand({ entry, snapshot }: CheckedRouter, taken: Entries<unknown>): Iterable<RouterSnapshot> {
    const { models } = this.#context.entryPoints;
    const plain = snapshot.entryPoints.filter((name) => !models.has(name));
    if (plain.length === snapshot.entryPoints.length) {
      yield snapshot;
      return;
    }
    if (plain.length > 0) yield { ...snapshot, entryPoints: plain };
    // As in Traefik, a router of one entry point keeps its name.
    const several = snapshot.entryPoints.length > 1;
    for (const entryPoint of snapshot.entryPoints) {
      if (!models.has(entryPoint)) continue;
      let name = several ? `${entryPoint}-${entry.name}` : entry.name;
      while (name !== entry.name && taken.has(name)) name = `${entryPoint}-${name}`;
      yield this.#apply(entryPoint, name, entry.provider, snapshot);
    }
  }

  /** Where the `http` section of the entry point stands that adds to this router. */
  placeOf({ entryPoints: [entryPoint = ''] }: RouterSnapshot): Place | undefined {
    const place = this.#context.entryPoints.models.get(entryPoint)?.place;
    return place === undefined ? undefined : { ...place, path: [...place.path, 'http'] };
  }

  #apply(entryPoint: string, name: string, provider: string, router: RouterSnapshot): RouterSnapshot {
    const model = this.#judge(entryPoint, provider);
    const { status, errors } = model.subject;
    const refuse = model.refuse ?? router.refuse;
    const tls = router.tls ?? model.tls;
    return {
      ...router,
      name,
      entryPoints: [entryPoint],
      status: worst(router.status, status),
      errors: [...new Set([...router.errors, ...errors])],
      middlewares: [...model.names, ...router.middlewares],
      ...(tls === undefined ? {} : { tls }),
      ...(refuse === undefined ? {} : { refuse }),
    };
  }

  #judge(entryPoint: string, provider: string) {
    // The built-in provider has no middlewares for operators to name.
    const home = provider === INTERNAL ? 'file' : provider;
    const key = `${entryPoint} ${home}`;
    const known = this.#judged.get(key);
    if (known !== undefined) return known;
    const model = this.#context.entryPoints.models.get(entryPoint)!;
    const path = [...model.place.path, 'http'];
    const subject = new Subject(this.#context.findings, { ...model.place, path });
    const names: string[] = [];
    let refuse: string | undefined;
    model.middlewares.forEach((written, index) => {
      const at: Path = ['middlewares', index];
      const name = resolveMiddleware(written, home, subject, this.#context, at);
      names.push(name);
      refuse ??= judgeMiddleware(name, at, subject, this.#context);
    });
    const tls = model.tls === undefined ? undefined : resolveTls(model.tls, home, subject, this.#context);
    const judged = {
      subject,
      names,
      ...(refuse === undefined ? {} : { refuse }),
      ...(tls === undefined ? {} : { tls }),
    };
    this.#judged.set(key, judged);
    return judged;
  }
}

function worst(a: RouterSnapshot['status'], b: RouterSnapshot['status']): RouterSnapshot['status'] {
  if (a === 'disabled' || b === 'disabled') return 'disabled';
  return a === 'warning' || b === 'warning' ? 'warning' : 'enabled';
}
