/**
 * Reads a site file: YAML with references to secrets, which are resolved here and nowhere else, since `serve` has neither the
 * person's environment nor their files. What is wrong is told with its line.
 */

import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type Document, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import { AppError, appError, errnoOf } from '../../storage/base/errors.ts';

/** A thousand cameras of 3 KB, as `serve` takes. */
const fileBytesMax = 4 * 1024 * 1024;
const secretBytesMax = 4_096;
/** One anchor may stand for the credentials of every camera. */
const aliasesMax = 10_000;
/** Deeper than any file that means something; a bound for the walk. */
const depthMax = 20;

export type SiteFile = {
  /** As `serve` takes it: `{ plain }` in the place of references. */
  readonly content: unknown;
  /** The error with the file and line that its field stands in, as far as that is known. */
  readonly located: (error: unknown) => unknown;
};

/**
 * @throws AppError not_found         there is no such file
 * @throws AppError invalid_argument  it is no YAML, a reference leads nowhere, or a secret stands in it
 */
export async function readSiteFile(
  path: string,
  { environment }: { readonly environment: Readonly<Record<string, string | undefined>> },
): Promise<SiteFile> {
  const text = await readText(path, { bytesMax: fileBytesMax, what: 'site file' });
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  const [fault] = document.errors;
  if (fault !== undefined)
    throw appError('invalid_argument', `${path}:${lines.linePos(fault.pos[0]).line}: ${fault.message}`);
  const located = (error: unknown) => withLine(error, { path, document, lines });
  try {
    const resolver = { environment, directory: dirname(path) };
    return { content: await resolved(contentOf(document), [], resolver), located };
  } catch (error) {
    throw located(error);
  }
}

function contentOf(document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: aliasesMax });
  } catch (error) {
    throw appError('invalid_argument', error instanceof Error ? error.message : 'the aliases cannot be resolved');
  }
}

type Resolver = {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly directory: string;
};

async function resolved(value: unknown, path: readonly string[], resolver: Resolver): Promise<unknown> {
  const field = path.join('.');
  if (path.length > depthMax)
    throw appError('invalid_argument', 'is nested too deeply', { field: path.slice(0, 3).join('.') });
  if (Array.isArray(value)) {
    return Promise.all(value.map((item, i) => resolved(item, [...path, String(i)], resolver)));
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  const [first] = entries;
  if (first !== undefined && entries.length === 1) {
    const [name, reference] = first;
    if (name === 'env') return { plain: ofEnvironment(reference, field, resolver) };
    if (name === 'file') return { plain: await ofFile(reference, field, resolver) };
  }
  if ('plain' in value) {
    throw appError('invalid_argument', `${field}: a secret stands in the file itself`, {
      field,
      hint: 'write { env: NAME }, { file: PATH }, or { sealed: TEXT } with what `weir seal` prints',
    });
  }
  const all = await Promise.all(
    entries.map(async ([name, item]) => [name, await resolved(item, [...path, name], resolver)] as const),
  );
  return Object.fromEntries(all);
}

function ofEnvironment(name: unknown, field: string, { environment }: Resolver): string {
  const text = typeof name === 'string' ? environment[name] : undefined;
  if (text !== undefined && text !== '') return text;
  throw appError('invalid_argument', `${field}: the environment has no variable ${String(name)}`, { field });
}

async function ofFile(name: unknown, field: string, { directory }: Resolver): Promise<string> {
  try {
    const text = await readText(resolve(directory, String(name)), { bytesMax: secretBytesMax, what: 'file' });
    return text.replace(/\r?\n$/, '');
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw appError('invalid_argument', `${field}: ${error.message}`, { field, cause: error });
  }
}

async function readText(
  path: string,
  { bytesMax, what }: { readonly bytesMax: number; readonly what: string },
): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > bytesMax)
      throw appError('invalid_argument', `the ${what} ${path} has ${size} bytes, more than ${bytesMax}`);
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof AppError) throw error;
    if (errnoOf(error) === 'ENOENT') throw appError('not_found', `there is no ${what} ${path}`, { cause: error });
    throw appError('invalid_argument', `the ${what} ${path} cannot be read (${errnoOf(error) ?? 'unknown'})`, {
      cause: error,
    });
  }
}

function withLine(
  error: unknown,
  { path, document, lines }: { readonly path: string; readonly document: Document; readonly lines: LineCounter },
): unknown {
  if (!(error instanceof AppError) || typeof error.context.field !== 'string') return error;
  const offset = offsetOf(document.contents, error.context.field);
  const place = offset === undefined ? path : `${path}:${lines.linePos(offset).line}`;
  return appError(error.code, `${place}: ${error.message}`, {
    ...error.context,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    cause: error,
  });
}

/** Where the deepest part of `cameras.gate.url` begins that is there; keys may have dots in them. */
function offsetOf(node: unknown, field: string): number | undefined {
  if (isMap(node)) {
    for (const { key, value } of node.items) {
      if (!isScalar(key)) continue;
      const name = String(key.value);
      if (field !== name && !field.startsWith(`${name}.`)) continue;
      return offsetOf(value, field.slice(name.length + 1)) ?? key.range?.[0];
    }
  }
  if (isSeq(node)) {
    const [index = '', ...rest] = field.split('.');
    const item = node.items[Number(index)];
    return offsetOf(item, rest.join('.')) ?? (item as { range?: [number, number, number] } | undefined)?.range?.[0];
  }
  return undefined;
}
