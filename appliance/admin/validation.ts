/** Turns what zod says about a request into one error that names the field and, for an unknown one, the nearest known. */

import { z } from 'zod';
import { type AppError, appError } from '../../storage/base/errors.ts';
import { nearest } from '../config/index.ts';

type Part = 'body' | 'querystring' | 'params' | 'headers';

/** Fastify's validator: the parsed value, or our error. */
export function validatorCompiler({ schema, httpPart }: { readonly schema: z.ZodType; readonly httpPart?: string }) {
  return (data: unknown): { readonly value: unknown } | { readonly error: Error } => {
    const parsed = schema.safeParse(data);
    if (parsed.success) return { value: parsed.data };
    return { error: validationError(parsed.error, { schema, data, part: httpPart as Part | undefined }) };
  };
}

/** The first thing that is wrong, in words; an unknown field before a missing one, since it is often the same one. */
function validationError(
  error: z.ZodError,
  { schema, data, part }: { readonly schema: z.ZodType; readonly data: unknown; readonly part: Part | undefined },
): AppError {
  const issue = error.issues.find(({ code }) => code === 'unrecognized_keys') ?? error.issues[0];
  if (issue === undefined) return appError('invalid_argument', 'the request is not what is expected', {});
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    const name = issue.keys[0] ?? '';
    const known = fieldNames(schemaAt(schema, path));
    const meant = nearest(name.slice(0, 64), known);
    return appError('invalid_argument', `unknown field "${name.slice(0, 64)}"`, {
      field: [...path, name.slice(0, 64)].join('.'),
      hint: meant === undefined ? `known are ${known.join(', ') || 'none'}` : `did you mean "${meant}"?`,
    });
  }
  const field = path.join('.');
  const where = field === '' ? (part === 'querystring' ? 'query' : (part ?? 'request')) : field;
  const what = valueAt(data, path) === undefined ? 'is missing' : lowerFirst(issue.message);
  return appError('invalid_argument', `${where}: ${what}`, field === '' ? {} : { field });
}

/** The schema that a path of field names leads to, through whatever wraps it. */
function schemaAt(schema: z.ZodType, path: readonly string[]): z.ZodType {
  let at = unwrapped(schema);
  for (const name of path) {
    if (at instanceof z.ZodObject) at = unwrapped((at.shape as Record<string, z.ZodType>)[name] ?? z.unknown());
    else if (at instanceof z.ZodArray) at = unwrapped(at.element as z.ZodType);
    else if (at instanceof z.ZodRecord) at = unwrapped(at.valueType as z.ZodType);
  }
  return at;
}

function valueAt(data: unknown, path: readonly string[]): unknown {
  let at = data;
  for (const name of path) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = (at as Readonly<Record<string, unknown>>)[name];
  }
  return at;
}

function unwrapped(schema: z.ZodType): z.ZodType {
  let at = schema;
  for (;;) {
    if (
      at instanceof z.ZodOptional ||
      at instanceof z.ZodNullable ||
      at instanceof z.ZodDefault ||
      at instanceof z.ZodPrefault
    ) {
      at = at.unwrap() as z.ZodType;
    } else if (at instanceof z.ZodPipe) at = at.in as z.ZodType;
    else return at;
  }
}

function fieldNames(schema: z.ZodType): string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}
