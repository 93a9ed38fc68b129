import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findJsonField, stringOf } from '../../../src/data/body/json-field.ts';

const object = fc.dictionary(
  fc.oneof(fc.string({ maxLength: 6 }), fc.constantFrom('model', 'mode', 'models', 'user')),
  fc.jsonValue({ maxDepth: 3 }),
  { maxKeys: 6 },
);

describe('a field of a JSON body', () => {
  it('is found where JSON.parse has it, with its value, and is absent where it has not', () => {
    fc.assert(
      fc.property(object, fc.constantFrom(0, 2), (value, indent) => {
        const text = Buffer.from(JSON.stringify(value, null, indent));
        const field = findJsonField(text, 'model');
        if (!Object.hasOwn(value, 'model')) {
          expect(field.kind).toBe('absent');
          return;
        }
        expect(field.kind).toBe('found');
        if (field.kind !== 'found') return;
        expect(JSON.parse(text.toString('utf8', field.start, field.end))).toEqual(
          JSON.parse(JSON.stringify(value.model)),
        );
      }),
    );
  });

  it('is never said to be what the rest of the text would make otherwise', () => {
    fc.assert(
      fc.property(object, fc.nat(), (value, cut) => {
        const whole = Buffer.from(JSON.stringify(value));
        const part = whole.subarray(0, cut % (whole.length + 1));
        const early = findJsonField(part, 'model');
        const late = findJsonField(whole, 'model');
        if (early.kind === 'absent') expect(late.kind).toBe('absent');
        if (early.kind === 'found') expect(late).toEqual(early);
        if (early.kind === 'begun') expect(late).toMatchObject({ kind: 'found', start: early.start });
      }),
      { numRuns: 500 },
    );
  });

  it.each(['', ' ', '[]', '"model"', '{"model" "x"}', '{{}', '{model:1}', 'null', '{"a":,"model":"x"}', '\u0000'])(
    'does not trip over %j',
    (text) => {
      expect(['absent', 'unseen']).toContain(findJsonField(Buffer.from(text), 'model').kind);
    },
  );

  it('is a string only where it is one', () => {
    const read = (text: string) => stringOf(Buffer.from(text), findJsonField(Buffer.from(text), 'model'));
    expect(read('{"model":"gr\\u0061nite \\"3b\\""}')).toBe('granite "3b"');
    expect(read('{"model":3}')).toBeNull();
    expect(read('{"model":"\\x"}')).toBeNull();
    expect(read('{"messages":[{"model":"inner"}],"model":"outer"}')).toBe('outer');
  });
});
