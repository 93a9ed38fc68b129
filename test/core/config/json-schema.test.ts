import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { jsonSchemas } from '../../../src/core/config/json-schema.ts';

describe('config/schema', () => {
  it.each(Object.entries(jsonSchemas()))('%s is what the code says (else run `npm run schema`)', (name, content) => {
    const written = readFileSync(new URL(`../../../config/schema/${name}`, import.meta.url), 'utf8');
    expect(written).toBe(content);
  });

  it('lets durations be texts and integers, and sections be empty', () => {
    const schema = JSON.parse(jsonSchemas()['static.json']);
    expect(schema.properties.providers.properties.providersThrottleDuration.type).toEqual(['string', 'integer']);
    expect(schema.properties.ping.type).toEqual(['object', 'null']);
    expect(schema.properties.ping.additionalProperties).toBe(false);
  });
});
