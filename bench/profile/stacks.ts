/** A node of the tree that all stacks make together: a function as it was called from the functions above it. */
export interface Frame {
  readonly name: string;
  /** Where it is, for the reader and the colour: a path, or the name of a library. */
  readonly origin: string;
  /** Weight of the samples in it alone, and in it and what it called. */
  self: number;
  total: number;
  readonly children: Map<string, Frame>;
}

export function createFrame(name: string, origin: string): Frame {
  return { name, origin, self: 0, total: 0, children: new Map() };
}

/** Adds one stack, outermost function first. */
export function addStack(root: Frame, stack: readonly { name: string; origin: string }[], weight: number): void {
  let frame = root;
  frame.total += weight;
  for (const { name, origin } of stack) {
    const key = `${name} ${origin}`;
    let child = frame.children.get(key);
    if (child === undefined) {
      child = createFrame(name, origin);
      frame.children.set(key, child);
    }
    child.total += weight;
    frame = child;
  }
  frame.self += weight;
}

/** Functions by their own weight, the heaviest first. */
export function heaviest(root: Frame, most: number): { name: string; origin: string; self: number }[] {
  const sums = new Map<string, { name: string; origin: string; self: number }>();
  const visit = (frame: Frame): void => {
    const key = `${frame.name} ${frame.origin}`;
    const sum = sums.get(key) ?? { name: frame.name, origin: frame.origin, self: 0 };
    sum.self += frame.self;
    sums.set(key, sum);
    for (const child of frame.children.values()) visit(child);
  };
  visit(root);
  return [...sums.values()].sort((a, b) => b.self - a.self).slice(0, most);
}

/** What `--cpu-prof` writes, as far as it is read here. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
    readonly children?: readonly number[];
  }[];
  /** Microseconds of the machine's monotonic clock. */
  readonly startTime: number;
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

/**
 * The stacks of a V8 profile, in microseconds; waiting is left out.
 *
 * @param since of the monotonic clock, in microseconds: what was before it, start and warm-up, is left out too
 */
export function fromCpuProfile(profile: CpuProfile, since = 0): Frame {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(profile.nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id])));
  const root = createFrame('all', '');
  const stacks = new Map<number, { name: string; origin: string }[]>();
  const stackOf = (id: number): { name: string; origin: string }[] => {
    const known = stacks.get(id);
    if (known !== undefined) return known;
    const node = nodes.get(id);
    const parent = parents.get(id);
    // The topmost node is V8's own "(root)".
    if (node === undefined || parent === undefined) return [];
    const { functionName, url, lineNumber } = node.callFrame;
    const frame = {
      name: functionName || '(anonymous)',
      origin: url === '' ? '' : `${shorten(url)}:${lineNumber + 1}`,
    };
    const stack = [...stackOf(parent), frame];
    stacks.set(id, stack);
    return stack;
  };
  let now = profile.startTime;
  for (const [index, id] of profile.samples.entries()) {
    const delta = profile.timeDeltas[index] ?? 0;
    now += delta;
    if (now < since) continue;
    const stack = stackOf(id);
    if (stack.at(-1)?.name === '(idle)') continue;
    addStack(root, stack, delta);
  }
  return root;
}

/** The stacks of `perf script`, in samples. */
export function fromPerfScript(text: string): Frame {
  const root = createFrame('all', '');
  for (const block of text.split('\n\n')) {
    const lines = block.split('\n').filter((line) => /^\s+[0-9a-f]+ /.test(line));
    if (lines.length === 0) continue;
    // Innermost first: `    7f12 symbol+0x1f (/path/of/library)`.
    const stack = lines.reverse().map((line) => {
      const match = /^\s+[0-9a-f]+ (.*?)(?:\+0x[0-9a-f]+)? \((.*)\)$/.exec(line);
      return frameOf(match?.[1] ?? line.trim(), match?.[2] ?? '');
    });
    addStack(root, stack, 1);
  }
  return root;
}

/** V8 names compiled code `JS:*name file:line:column` in its map for perf; the rest is native. */
function frameOf(symbol: string, library: string): { name: string; origin: string } {
  const js = /^(?:JS|LazyCompile|Function|Script|Eval):\s*[*~^+']*(\S*) ?(\S*?)(?::\d+)?$/.exec(symbol);
  if (js !== null) return { name: js[1] || '(anonymous)', origin: shorten(js[2] ?? '') };
  const plain = symbol.replace(/\((?!anonymous).*\)$/, '').replace(/<.*>/, '<…>');
  return { name: plain, origin: library.slice(library.lastIndexOf('/') + 1) };
}

function shorten(url: string): string {
  const path = url.replace(/^file:\/\//, '');
  const own = /\/((?:src|dist|node_modules)\/.*)$/.exec(path);
  return own?.[1] ?? path;
}
