import type { z } from 'zod';
import { duration } from './scalars.ts';

/** What the decoder needs to know of a schema: its keys, and what each value may be written as. */
export type Shape =
  | ObjectShape
  | { readonly kind: 'record'; readonly value: Shape }
  | { readonly kind: 'array'; readonly item: Shape }
  | { readonly kind: 'enum'; readonly values: readonly string[] }
  | { readonly kind: 'string' | 'number' | 'boolean' | 'duration' | 'any' };

export interface ObjectShape {
  readonly kind: 'object';
  /** Keyed by the name in lower case. */
  readonly fields: ReadonlyMap<string, FieldShape>;
  /** As Traefik spells them. */
  readonly names: readonly string[];
}

export interface FieldShape {
  readonly name: string;
  readonly shape: Shape;
  /** An object whose mere presence, even empty, means something (`tls: {}`, `ping: {}`). */
  readonly presence: boolean;
}

const compiled = new WeakMap<z.core.$ZodType, Shape>();

/** Reads the shape of a schema, once per schema. */
export function shapeOf(schema: z.core.$ZodType): Shape {
  let shape = compiled.get(schema);
  if (shape === undefined) {
    shape = compile(schema);
    compiled.set(schema, shape);
  }
  return shape;
}

function compile(schema: z.core.$ZodType): Shape {
  if (schema._zod.parent === duration || schema === duration) return { kind: 'duration' };
  const { def } = (schema as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case 'optional':
    case 'default':
    case 'prefault':
    case 'nullable':
    case 'readonly':
      return shapeOf(def.innerType);
    case 'pipe':
      return shapeOf(def.in);
    case 'object': {
      const fields = new Map<string, FieldShape>();
      for (const [name, field] of Object.entries(def.shape)) {
        const shape = shapeOf(field);
        fields.set(name.toLowerCase(), {
          name,
          shape,
          presence: shape.kind === 'object' && field._zod.def.type === 'optional',
        });
      }
      return { kind: 'object', fields, names: Object.keys(def.shape) };
    }
    case 'record':
      return { kind: 'record', value: shapeOf(def.valueType) };
    case 'array':
      return { kind: 'array', item: shapeOf(def.element) };
    case 'enum':
      return { kind: 'enum', values: Object.values(def.entries).map(String) };
    case 'string':
    case 'number':
    case 'boolean':
      return { kind: def.type };
    case 'unknown':
      return { kind: 'any' };
    default:
      throw new TypeError(`a configuration schema cannot use ${def.type}`);
  }
}
