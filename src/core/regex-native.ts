/**
 * A native RegExp that accepts exactly the ASCII texts that the RE2 pattern accepts and cannot backtrack beyond linear
 * time, or undefined where that is not plain to see. (Only ASCII: Unicode mode has its own case folding and, in V8, its own
 * faults: `/[^a]$/u` does not match U+1F600.) It is a shortcut of a factor of 10 or more for what people mostly write:
 * `^/api/v[0-9]+`, `\.png$`, `(?i)^[a-z0-9-]+\.example\.com$`.
 *
 * Taken: an optional leading `(?i)`, then a plain sequence of ASCII literals, `.`, escapes and simple classes between
 * optional `^` and `$`, no groups or alternatives. An unbounded quantifier may occur once, and only after `^`: one
 * start and one loop, so at most a linear number of steps back; each `?` can double them, so there are few. Everything
 * else stays with RE2.
 */
export function nativeEquivalent(pattern: string): RegExp | undefined {
  const fold = pattern.startsWith('(?i)');
  const body = fold ? pattern.slice(4) : pattern;
  const anchored = body.startsWith('^');
  let loops = 0;
  let optionals = 0;
  let source = anchored ? '^' : '';
  ATOM.lastIndex = anchored ? 1 : 0;
  while (ATOM.lastIndex < body.length) {
    const at = ATOM.lastIndex;
    const match = ATOM.exec(body);
    if (match === null) return at === body.length - 1 && body.endsWith('$') ? build(`${source}$`, fold) : undefined;
    const [, atom = '', quantifier = ''] = match;
    if (quantifier === '*' || quantifier === '+') loops++;
    if (quantifier === '?') optionals++;
    if (loops > (anchored ? 1 : 0) || optionals > 3) return undefined;
    source += translate(atom) + quantifier;
  }
  return build(source, fold);
}

// A literal, an escaped punctuation mark, a dot, \d, or a class of literals and ranges; then at most one quantifier.
const ATOM =
  /([A-Za-z0-9_/:=~%@&,;"'<>!# -]|\\[.\-/?+*^$()[\]{}|]|\\d|\.|\[\^?(?:[A-Za-z0-9_/:.%]|\\[.\-/])(?:-[A-Za-z0-9])?(?:(?:[A-Za-z0-9_/:.%]|\\[.\-/])(?:-[A-Za-z0-9])?)*-?\])([*+?]?)(?![*+?{])/y;

function translate(atom: string): string {
  // Go's dot excludes the newline alone, JavaScript's three more.
  return atom === '.' ? '[^\\n]' : atom;
}

function build(source: string, fold: boolean): RegExp | undefined {
  try {
    return new RegExp(source, fold ? 'i' : '');
  } catch {
    return undefined; // Not an error: RE2 has accepted the pattern and will run it.
  }
}
