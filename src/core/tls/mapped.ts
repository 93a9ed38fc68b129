/** What became of a name from the configuration: its meaning, or why it has none and what may have been meant. */
export type Mapped<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly message: string; readonly hint: string };

/**
 * Looks a name up, whatever its case, and says what may have been meant where it is unknown.
 *
 * @param what what is being named, for the message: `cipher suite`
 */
export function mapName<T>(table: ReadonlyMap<string, T>, name: string, what: string): Mapped<T> {
  const value = table.get(name);
  if (value !== undefined) return { ok: true, value };
  const wanted = name.trim().toLowerCase();
  let nearest: string | undefined;
  let nearestDistance = Number.POSITIVE_INFINITY;
  for (const [known, candidate] of table) {
    const lower = known.toLowerCase();
    if (lower === wanted) return { ok: true, value: candidate };
    const distance = editDistance(wanted, lower);
    if (distance < nearestDistance) {
      nearest = known;
      nearestDistance = distance;
    }
  }
  // Names here are long and share long prefixes: a third of the length is the most that still reads as a typing error.
  const close = nearest !== undefined && nearestDistance <= Math.max(2, wanted.length / 3);
  return {
    ok: false,
    message: `unknown ${what} ${JSON.stringify(clip(name))}`,
    hint: close ? `did you mean ${nearest}?` : `known are ${[...table.keys()].join(', ')}`,
  };
}

/** Levenshtein distance. Both are clipped, as the work grows with the product of their lengths. */
function editDistance(a: string, b: string): number {
  const from = clip(a);
  const to = clip(b);
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

function clip(text: string): string {
  return text.length > 64 ? `${text.slice(0, 64)}…` : text;
}
