import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { excerpt } from '../../src/command/excerpt.ts';

/** The character above the caret. */
function pointedAt(line: string, column: number, width?: number): string | undefined {
  const [source = '', mark = ''] = excerpt(line, 7, column, width).split('\n');
  const wanted = mark.length - 1;
  let columns = 0;
  for (const character of source) {
    if (columns >= wanted) return character;
    columns += /[\u4e00-\u9fff\u{1f300}-\u{1faff}]/u.test(character) ? 2 : /\p{Mn}/u.test(character) ? 0 : 1;
  }
  return undefined;
}

describe('the excerpt', () => {
  it('is the line, with a caret under the place', () => {
    expect(excerpt('      service: appp', 12, 16)).toBe(' 12 |       service: appp\n    |                ^');
  });

  it.each<[string, string, number, string | undefined]>([
    ['a tab before the place', '\tservice: x', 11, 'x'],
    ['tabs inside the line', 'a\tb\tcd', 5, 'c'],
    ['wide characters before it', '名前: x', 5, 'x'],
    ['a combining mark before it', 'e\u0301: x', 5, 'x'],
    ['an emoji of two units before it', '🚀: x', 5, 'x'],
    ['a column in the middle of an emoji', 'a🚀b', 3, '🚀'],
    ['the first column', 'abc', 1, 'a'],
    ['the end of the line', 'abc', 4, undefined],
    ['a column behind the end', 'abc', 40, undefined],
    ['an empty line', '', 1, undefined],
  ])('points right with %s', (_, line, column, character) => {
    expect(pointedAt(line, column)).toBe(character);
  });

  it('shows the part of a long line that the place is in', () => {
    const line = `${'a'.repeat(500)}X${'b'.repeat(500)}`;
    const [source = '', mark = ''] = excerpt(line, 7, 501, 60).split('\n');
    expect(source).toMatch(/^ 7 \| …a+Xb+…$/);
    expect(source.length).toBeLessThanOrEqual(60);
    expect(source[mark.length - 1]).toBe('X');
  });

  it('lets nothing of the file steer the terminal', () => {
    expect(excerpt('a\x1b[31mb\u202e', 1, 6)).not.toMatch(/[\x1b\u202e]/);
  });

  it('points at the character of the column, whatever the line and the width', () => {
    const characters = fc.constantFrom('a', 'b', ' ', '名', '🚀', 'é', 'x');
    fc.assert(
      fc.property(
        fc.array(characters, { minLength: 1, maxLength: 200 }),
        fc.nat(),
        fc.integer({ min: 24, max: 120 }),
        (all, n, width) => {
          const index = n % all.length;
          const column = all.slice(0, index).join('').length + 1;
          const shown = pointedAt(all.join(''), column, width);
          // Blanks at the end are not shown.
          expect(shown ?? ' ').toBe(all[index]);
        },
      ),
    );
  });
});
