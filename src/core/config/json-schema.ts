import { z } from 'zod';
import { dynamicConfigSchema } from './dynamic.ts';
import { staticConfigSchema } from './static.ts';

/** The files under `config/schema/` and their content: JSON Schemas of what an operator writes, for editors. */
export function jsonSchemas(): Readonly<Record<'static.json' | 'dynamic.json', string>> {
  return {
    'static.json': render(staticConfigSchema, 'phoenix-proxy static configuration (traefik.yml)'),
    'dynamic.json': render(dynamicConfigSchema, 'phoenix-proxy dynamic configuration'),
  };
}

function render(schema: z.ZodType, title: string): string {
  const body = z.toJSONSchema(schema, {
    io: 'input',
    override: ({ zodSchema, jsonSchema }) => {
      const type = zodSchema._zod.def.type;
      // A section may be written without anything in it (`http:`), which is null in YAML.
      if (jsonSchema.type === 'object' && (type === 'object' || type === 'record'))
        jsonSchema.type = ['object', 'null'] as never;
      // An item of a list may not.
      if (type === 'array') {
        const { items } = jsonSchema as { items?: { type?: unknown } };
        if (Array.isArray(items?.type) && items.type.includes('null')) items.type = 'object';
      }
      // The bounds of safe integers say nothing to an operator.
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  });
  return `${JSON.stringify({ ...body, title }, undefined, 2)}\n`;
}
