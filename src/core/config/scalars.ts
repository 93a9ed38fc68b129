import { z } from 'zod';
import { parseDuration } from './duration.ts';

/** `T` with every property and element read-only, all the way down. */
export type DeepReadonly<T> = T extends (infer E)[]
  ? readonly DeepReadonly<E>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;

/** A duration as written (`1m30s`, `100ms`, or whole seconds), decoded to milliseconds. */
export const duration = z
  .union([z.string(), z.int()])
  .transform((value, context) => {
    const ms = parseDuration(value);
    if (ms !== undefined) return ms;
    context.issues.push({
      code: 'custom',
      message: `${JSON.stringify(value)} is not a duration: write for example 30s, 1m30s, 100ms, or a whole number of seconds`,
      input: value,
    });
    return z.NEVER;
  })
  .meta({ description: 'A duration such as 1m30s or 100ms; a bare integer means seconds.' });

/** A duration with a default, in milliseconds. */
export function durationOr(defaultMs: number) {
  return duration.default(defaultMs);
}

export const text = z.string();
export const flag = z.boolean();
export const integer = z.int();
export const strings = z.array(z.string());
export const stringMap = z.record(z.string(), z.string());

/** A path to a file, or its content (PEM) in place: Traefik's FileOrContent. */
export const fileOrContent = z.string().meta({ description: 'A file path, or the content itself (PEM).' });

/** Takes `{}` and nothing else: presence is the meaning. */
export const emptyObject = z.strictObject({});

/** An HTTP status as a code or a range, `404` or `500-599`. */
export const statusRange = z
  .string()
  .regex(/^\s*\d{3}\s*(-\s*\d{3}\s*)?$/, 'must be a status code or a range, for example 404 or 500-599');

/** A port number. 0 stands for "not given", as in Go. */
export const port = z.int().min(0).max(65535);

/**
 * A check for objects of which exactly one field may be set (a service has one type, so has a middleware).
 *
 * @param what what the fields are, for the message
 */
export function exactlyOne(what: string) {
  return (context: { value: object; issues: z.core.$ZodRawIssue[] }): void => {
    const set = Object.keys(context.value);
    if (set.length === 1) return;
    context.issues.push({
      code: 'custom',
      message:
        set.length === 0
          ? `no ${what} is given: exactly one is needed`
          : `${set.length} ${what}s are given (${set.join(', ')}): only one may be`,
      input: context.value,
      params: { code: 'exactly-one' },
    });
  };
}

/** A check for objects of which exactly one of some fields must be set. */
export function exactlyOneOf(names: readonly string[]) {
  return (context: { value: object; issues: z.core.$ZodRawIssue[] }): void => {
    const set = names.filter((name) => Object.hasOwn(context.value, name));
    if (set.length === 1) return;
    context.issues.push({
      code: 'custom',
      message: `exactly one of ${names.join(', ')} is needed, ${set.length === 0 ? 'none is given' : `${set.join(', ')} are given`}`,
      input: context.value,
      params: { code: 'exactly-one' },
    });
  };
}
