import { describe, expect, it } from 'vitest';
import { MAX_SOURCE_LENGTH, parseSource } from '../../../src/core/config/source.ts';

const YAML = `# comment
http:
  routers:
    "a b": &common
      Rule: 'Host(\`x\`)'
      entryPoints: [web, "ws"]
    c:
      <<: *common
      service: d
`;

describe('parseSource with YAML', () => {
  it('knows where keys and values stand, whatever their case', () => {
    const { positions } = parseSource('a.yml', YAML);
    expect(positions(['http', 'routers', 'a b'])).toEqual({ line: 4, column: 5 });
    expect(positions(['http', 'routers', 'a b', 'rule'])).toEqual({ line: 5, column: 7 });
    expect(positions(['http', 'routers', 'a b', 'rule'], 'value')).toEqual({ line: 5, column: 13 });
    expect(positions(['http', 'routers', 'a b', 'entryPoints', 1])).toEqual({ line: 6, column: 26 });
  });

  it('gives the place of the nearest ancestor for what is missing', () => {
    const { positions } = parseSource('a.yml', YAML);
    expect(positions(['http', 'routers', 'c', 'priority'])).toEqual({ line: 7, column: 5 });
  });

  it('merges anchors, and finds what they brought in where it was written', () => {
    const { value, positions } = parseSource('a.yml', YAML);
    expect(value).toMatchObject({ http: { routers: { c: { Rule: 'Host(`x`)', service: 'd' } } } });
    expect(positions(['http', 'routers', 'c', 'rule'])).toEqual({ line: 5, column: 7 });
  });

  it.each(['', '\n', '# only a comment\n', '---\n', '\uFEFF'])('takes %j as an empty configuration', (text) => {
    expect(parseSource('a.yml', text)).toMatchObject({ value: null, diagnostics: [] });
  });

  it('refuses a duplicate key, with its place', () => {
    const { value, diagnostics } = parseSource('a.yml', 'a: 1\nb: 2\na: 3\n');
    expect(value).toBeUndefined();
    expect(diagnostics).toMatchObject([{ code: 'duplicate-key', line: 3, column: 1, file: 'a.yml' }]);
  });

  it.each([
    ['a:\n\tb: 1\n', 2, /spaces/],
    ['http:\n  rule: `x`\n', 2, /quotes/],
  ])('explains the syntax error in %j', (text, line, hint) => {
    const { value, diagnostics } = parseSource('a.yml', text);
    expect(value).toBeUndefined();
    expect(diagnostics).toMatchObject([{ severity: 'error', code: 'syntax', line }]);
    expect(diagnostics[0]?.hint).toMatch(hint);
  });

  it.each(['a: {{ env "X" }}\n', '{{ range $i := until 3 }}\na: 1\n{{ end }}\n'])(
    'recognises a Go template in %j and says what to do',
    (text) => {
      const { value, diagnostics } = parseSource('a.yml', text);
      expect(value).toBeUndefined();
      expect(diagnostics[0]).toMatchObject({ code: 'go-template', line: 1 });
      expect(diagnostics[0]?.hint).toMatch(/not rendered/);
    },
  );

  it('does not take a comment for a template', () => {
    const { diagnostics } = parseSource('a.yml', '# {{ range }}\na: [\n');
    expect(diagnostics.map(({ code }) => code)).toEqual(['syntax']);
  });

  it('says that only the first of several documents is read', () => {
    const { value, diagnostics } = parseSource('a.yml', 'a: 1\n---\nb: 2\n');
    expect(value).toEqual({ a: 1 });
    expect(diagnostics).toMatchObject([{ severity: 'warning', code: 'several-documents' }]);
  });

  it('bounds depth, aliases and size', () => {
    expect(parseSource('a.yml', '['.repeat(1000)).value).toBeUndefined();
    expect(parseSource('a.yml', `a: &x 1\nb: [${'*x,'.repeat(20_000)}]`).value).toBeUndefined();
    expect(parseSource('a.yml', ' '.repeat(MAX_SOURCE_LENGTH + 1)).diagnostics).toMatchObject([
      { code: 'file-too-large' },
    ]);
  });
});

describe('parseSource with TOML', () => {
  const TOML = `[http.routers]
  [http.routers.a]
    rule = "Host(\`x\`) # no comment"
    entryPoints = [
      "a", # ]
    ]
    service = "b"
[[http.services.b.loadBalancer.servers]]
  url = """
http://x"""
[[http.services.b.loadBalancer.servers]]
  url = "y"
`;

  it('knows where keys stand, past lists and long strings', () => {
    const { positions, diagnostics } = parseSource('a.toml', TOML);
    expect(diagnostics).toEqual([]);
    expect(positions(['http', 'routers', 'a', 'service'])).toEqual({ line: 7, column: 5 });
    expect(positions(['http', 'routers', 'a', 'service'], 'value')).toEqual({ line: 7, column: 15 });
    expect(positions(['http', 'services', 'b', 'loadBalancer', 'servers', 1, 'url'])).toEqual({ line: 12, column: 3 });
  });

  it.each([
    ['a = 1\na = 2\n', 'duplicate-key', 2],
    ['[a]\nb = 1\n[a]\n', 'duplicate-key', 3],
    ['a = \n', 'syntax', 1],
  ])('explains %j', (text, code, line) => {
    expect(parseSource('a.TOML', text)).toMatchObject({ value: undefined, diagnostics: [{ code, line }] });
  });
});
