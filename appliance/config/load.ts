/**
 * Reads the configuration: flags win over the environment, that over the file, that over defaults. Every mistake names its key
 * and where it stands, and unknown keys are refused with the nearest known one.
 */

import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { parse as parseYaml, YAMLParseError } from 'yaml';
import type { z } from 'zod';
import { type AppError, appError, errnoOf } from '../../storage/base/errors.ts';
import { nearest } from './nearest.ts';
import { type Config, type ConfigKey, configKeys, configSchema, environmentName, flagName, keyName } from './schema.ts';

export type ConfigInput = {
  /** Values of flags by key name (`listen.port`), as text. */
  readonly flags: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** `--config`: must exist. Without it `weir.yaml` in the data directory is read when it is there. */
  readonly configFile?: string | undefined;
  /** Relative paths of flags and environment start here. */
  readonly workingDirectory: string;
  /** The default data directory starts here: a second command finds it from any folder. */
  readonly installDirectory: string;
};

/** Names in the environment that are ours but no key. */
const otherVariables = ['WEIR_CONFIG', 'WEIR_OBJECTS_S3_SECRET_KEY'];

const pathKeys = new Set([
  'dataDirectory',
  'tls.certificateFile',
  'tls.keyFile',
  'journal.directory',
  'journal.spareDirectories',
  'objects.directory',
  'objects.s3.secretKeyFile',
  'objects.s3.authorityFile',
  'webrtc.turn.secretFile',
  'siteKeyFile',
]);

/**
 * The whole configuration with absolute paths.
 *
 * @throws AppError invalid_argument  with the key as the fact `key`; the message is for the person who wrote it
 */
export async function loadConfig(input: ConfigInput): Promise<Config> {
  const keys = configKeys();
  const environment = fromEnvironment(keys, input.environment);
  const flags = new Map(Object.entries(input.flags));
  const given = (name: string) => flags.get(name) ?? environment.get(name);

  const namedFile = input.configFile ?? input.environment.WEIR_CONFIG;
  const dataText = given('dataDirectory');
  const data =
    dataText === undefined ? resolve(input.installDirectory, 'data') : resolve(input.workingDirectory, dataText);
  const file = namedFile === undefined ? join(data, 'weir.yaml') : resolve(input.workingDirectory, namedFile);
  const tree = await readConfigFile(file, { isOptional: namedFile === undefined });

  resolvePaths(tree, dirname(file));
  const origin = new Map<string, string>();
  for (const key of keys) {
    const name = keyName(key);
    const text = given(name);
    if (text === undefined) continue;
    origin.set(name, flags.has(name) ? `--${flagName(key)}` : environmentName(key));
    putText(tree, key, text, input.workingDirectory);
  }
  if (tree.dataDirectory === undefined) tree.dataDirectory = data;

  const result = configSchema.safeParse(tree);
  if (!result.success) throw explain(result.error, { tree, file, origin, keys });
  return result.data;
}

/**
 * A whole configuration with some keys as flags say, by key name.
 *
 * @throws AppError invalid_argument  as `loadConfig`
 */
export function withFlags(config: Config, input: Pick<ConfigInput, 'flags' | 'workingDirectory'>): Config {
  const tree: Record<string, unknown> = structuredClone(config);
  const keys = configKeys();
  const origin = new Map<string, string>();
  for (const key of keys) {
    const text = input.flags[keyName(key)];
    if (text === undefined) continue;
    origin.set(keyName(key), `--${flagName(key)}`);
    putText(tree, key, text, input.workingDirectory);
  }
  const result = configSchema.safeParse(tree);
  if (!result.success) throw explain(result.error, { tree, file: 'the configuration with these flags', origin, keys });
  return result.data;
}

/** What another process of ours wrote down as its whole configuration; undefined when it is none that this version knows. */
export function readConfig(value: unknown): Config | undefined {
  return configSchema.safeParse(value).data;
}

function putText(tree: Record<string, unknown>, key: ConfigKey, text: string, workingDirectory: string): void {
  const isPath = pathKeys.has(keyName(key));
  put(tree, key.path, isPath ? pathOfText(key, text, workingDirectory) : valueOfText(key.type, text));
}

/** One path, or a list of them: `[/mnt/a, /mnt/b]`. */
function pathOfText(key: ConfigKey, text: string, directory: string): unknown {
  if (!Array.isArray(key.defaultValue)) return resolve(directory, text);
  const value = valueOfText(key.type, text);
  return Array.isArray(value) ? resolvedAll(value, directory) : value;
}

function resolvedAll(values: readonly unknown[], directory: string): unknown[] {
  return values.map((value) => (typeof value === 'string' && value !== '' ? resolve(directory, value) : value));
}

/** Replaces a value that only text could carry by what the key's type takes: `8443`, `true`, `[a, b]`. */
function valueOfText(type: z.ZodType, text: string): unknown {
  if (type.safeParse(text).success) return text;
  try {
    return parseYaml(text);
  } catch {
    return text;
  }
}

function fromEnvironment(
  keys: readonly ConfigKey[],
  environment: Readonly<Record<string, string | undefined>>,
): Map<string, string> {
  const nameOfVariable = new Map(keys.map((key) => [environmentName(key), keyName(key)]));
  const values = new Map<string, string>();
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith('WEIR_') || text === undefined || otherVariables.includes(variable)) continue;
    const name = nameOfVariable.get(variable);
    if (name === undefined) {
      throw appError('invalid_argument', `the environment variable ${variable} is not known`, {
        key: variable,
        ...didYouMean(variable, [...nameOfVariable.keys(), ...otherVariables]),
      });
    }
    values.set(name, text);
  }
  return values;
}

async function readConfigFile(
  file: string,
  options: { readonly isOptional: boolean },
): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const isAbsent = errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR';
    if (options.isOptional && isAbsent) return {};
    const fault = isAbsent ? 'is not there' : `cannot be read (${errnoOf(error)})`;
    throw appError('invalid_argument', `the configuration file ${file} ${fault}`, { cause: error, file });
  }
  try {
    const tree: unknown = parseYaml(text, { prettyErrors: true });
    if (tree === null || tree === undefined) return {};
    if (isTree(tree)) return tree;
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error;
    throw appError('invalid_argument', `${file}: ${error.message}`, { cause: error, file });
  }
  throw appError('invalid_argument', `${file}: must be keys and values`, { file });
}

function resolvePaths(tree: Record<string, unknown>, directory: string): void {
  for (const name of pathKeys) {
    const path = name.split('.');
    const value = get(tree, path);
    if (typeof value === 'string' && value !== '') put(tree, path, resolve(directory, value));
    if (Array.isArray(value)) put(tree, path, resolvedAll(value, directory));
  }
  const stores = get(tree, ['objects', 'stores']);
  if (Array.isArray(stores)) for (const store of stores.filter(isTree)) resolveStorePaths(store, directory);
}

function resolveStorePaths(store: Record<string, unknown>, directory: string): void {
  for (const path of [['directory'], ['s3', 'secretKeyFile'], ['s3', 'authorityFile']]) {
    const value = get(store, path);
    if (typeof value === 'string' && value !== '') put(store, path, resolve(directory, value));
  }
}

function explain(
  error: z.ZodError,
  context: {
    readonly tree: Record<string, unknown>;
    readonly file: string;
    readonly origin: ReadonlyMap<string, string>;
    readonly keys: readonly ConfigKey[];
  },
): AppError {
  const issue = error.issues[0];
  if (issue === undefined) return appError('internal', 'the configuration was refused without a reason');
  if (issue.code === 'unrecognized_keys') {
    const name = [...issue.path, issue.keys[0]].join('.');
    return appError('invalid_argument', `${context.file}: the key ${name} is not known`, {
      key: name,
      ...didYouMean(name, namesOf(context.keys)),
    });
  }
  const name = issue.path
    .slice(0, context.keys.some((key) => keyName(key) === issue.path.join('.')) ? undefined : 2)
    .join('.');
  const place = context.origin.get(name) ?? context.file;
  const value = get(context.tree, issue.path.map(String));
  const shown = value === undefined ? '' : `, not ${JSON.stringify(value)}`;
  return appError('invalid_argument', `${place}: ${name} ${messageOf(issue)}${shown}`, { key: name, place });
}

/** Zod's sentences begin with the name of the fault; ours continue the key's name. */
function messageOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'custom':
      return issue.message;
    case 'invalid_type':
      return `must be a ${issue.expected}`;
    case 'invalid_value':
      return `must be one of ${issue.values.join(', ')}`;
    case 'too_small':
      return `must be at least ${issue.minimum}`;
    case 'too_big':
      return `must be at most ${issue.maximum}`;
    case 'invalid_union':
      return messageOfUnion(issue);
    default:
      return `is wrong: ${issue.message}`;
  }
}

function messageOfUnion(issue: z.core.$ZodIssueInvalidUnion): string {
  const custom = issue.errors.flat().find((inner) => inner.code === 'custom');
  if (custom !== undefined) return custom.message;
  return issue.errors.flat().some((inner) => inner.code === 'invalid_format')
    ? 'must be an IP address'
    : 'is of the wrong kind';
}

/** What may stand in a file: every key and the sections around them, these first, since what is short is nearest to itself. */
function namesOf(keys: readonly ConfigKey[]): string[] {
  const sections = keys.flatMap(({ path }) => path.slice(0, -1).map((_, depth) => path.slice(0, depth + 1).join('.')));
  return [...new Set([...sections, ...keys.map(keyName)])];
}

function didYouMean(name: string, known: readonly string[]): { readonly hint?: string } {
  const suggestion = nearest(name, known);
  return suggestion === undefined ? {} : { hint: `did you mean ${suggestion}?` };
}

function get(tree: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, part) => (isTree(value) ? value[part] : undefined), tree);
}

function put(tree: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const last = path.at(-1) ?? '';
  let target = tree;
  for (const part of path.slice(0, -1)) {
    const inner = target[part];
    if (isTree(inner)) target = inner;
    else {
      const fresh: Record<string, unknown> = {};
      target[part] = fresh;
      target = fresh;
    }
  }
  target[last] = value;
}

function isTree(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
