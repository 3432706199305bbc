/** Reads every source file of the checkout with a real parser: what it imports, as what, and which globals it uses. */

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync } from 'vite';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** The folders that hold code, floor first: nothing imports from a folder of a higher rank, and pillars not from each other. */
export const ranks: Readonly<Record<string, number>> = {
  storage: 0,
  gateway: 1,
  inference: 1,
  sync: 1,
  appliance: 2,
  test: 3,
};

export type Source = {
  /** Relative to the checkout, with slashes: `storage/base/clock.ts`. */
  readonly path: string;
  /** Files of ours it imports, types included, relative to the checkout. */
  readonly files: readonly string[];
  /** Those of them that are loaded with it: neither `import type` nor `import()`. */
  readonly loads: readonly string[];
  /** What it takes of files of ours by name; `*` is all of one. */
  readonly names: readonly { readonly file: string; readonly name: string }[];
  /** Values that it exports: no types. */
  readonly values: readonly string[];
  /** Packages it imports: `zod`, `@fastify/static`; not Node's own. */
  readonly packages: readonly string[];
  readonly hasDefaultExport: boolean;
  /** Calls of clocks, timers and chance: `Date.now`, `setTimeout`. */
  readonly impurities: readonly string[];
};

const bareGlobals = new Set(['setTimeout', 'setInterval']);
const memberGlobals = new Set(['Date.now', 'performance.now', 'Math.random']);

/** All sources under the ranked folders. */
export function readSources(): Source[] {
  return Object.keys(ranks).flatMap((folder) => filesUnder(join(root, folder)).map(readSource));
}

/** `storage/journal/epoch.ts` to `storage/journal`; a file at the top of its folder is a room of its own. */
export function roomOf(path: string): string {
  const [folder = '', room = '', ...rest] = path.split('/');
  return rest.length === 0 ? path : `${folder}/${room}`;
}

/** What a file's text imports and uses; exported for the tests of this check itself. */
export function parseSource(path: string, text: string): Source {
  const { program, module, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path} does not parse: ${errors[0]?.message}`);
  const specifiers = new Set<string>();
  for (const one of module.staticImports) specifiers.add(one.moduleRequest.value);
  for (const one of module.staticExports) {
    for (const entry of one.entries) if (entry.moduleRequest) specifiers.add(entry.moduleRequest.value);
  }
  const impurities = new Set<string>();
  const names = program.body.flatMap(namesTakenBy);
  walk(program, (node) => {
    if (node.type === 'ImportExpression' || node.type === 'TSImportType') {
      const value = literalOf(node.source ?? node.argument);
      if (value !== undefined) specifiers.add(value);
    }
    if (node.type === 'ImportExpression') names.push({ specifier: literalOf(node.source) ?? '', name: '*' });
    const impurity = impurityOf(node);
    if (impurity !== undefined) impurities.add(impurity);
  });
  const isOwn = (specifier: string) => specifier.startsWith('.');
  const fileOf = (specifier: string) => relative(root, resolve(root, dirname(path), specifier));
  return {
    path,
    files: [...specifiers].filter(isOwn).map(fileOf),
    loads: program.body.flatMap(loadedBy).filter(isOwn).map(fileOf),
    names: names
      .filter(({ specifier }) => isOwn(specifier))
      .map(({ specifier, name }) => ({ file: fileOf(specifier), name })),
    values: program.body.flatMap(valuesOf),
    packages: [...specifiers].filter((one) => !isOwn(one) && !one.startsWith('node:')).map(packageName),
    hasDefaultExport: program.body.some((node) => node.type === 'ExportDefaultDeclaration'),
    impurities: [...impurities],
  };
}

type Node = { readonly type: string; readonly [field: string]: unknown };

function readSource(file: string): Source {
  return parseSource(relative(root, file), readFileSync(file, 'utf8'));
}

function filesUnder(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return ['dist', 'fixtures', 'node_modules'].includes(entry.name) ? [] : filesUnder(path);
    return /\.(ts|tsx|mts)$/.test(entry.name) && !entry.name.endsWith('.d.ts') ? [path] : [];
  });
}

function packageName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** What an import or export statement loads: `import { type A }` too, since only the name is stripped. */
function loadedBy(statement: unknown): string[] {
  if (!isNode(statement) || statement.importKind === 'type' || statement.exportKind === 'type') return [];
  const specifier = literalOf(statement.source);
  return specifier === undefined ? [] : [specifier];
}

/** What an import or export statement takes of another file, types included. */
function namesTakenBy(statement: unknown): { readonly specifier: string; readonly name: string }[] {
  const specifier = isNode(statement) ? literalOf(statement.source) : undefined;
  if (!isNode(statement) || specifier === undefined) return [];
  if (statement.type === 'ExportAllDeclaration') return [{ specifier, name: '*' }];
  const taken = nodesIn(statement.specifiers);
  return taken.map(({ type, imported, local }) => ({
    specifier,
    name: type === 'ImportNamespaceSpecifier' ? '*' : (nameOf(imported ?? local) ?? ''),
  }));
}

function valuesOf(statement: unknown): string[] {
  if (!isNode(statement) || statement.type !== 'ExportNamedDeclaration' || statement.exportKind === 'type') return [];
  const { declaration } = statement;
  const declared = isNode(declaration) ? [declaration, ...nodesIn(declaration.declarations)].map(({ id }) => id) : [];
  const listed = nodesIn(statement.specifiers).filter(({ exportKind }) => exportKind !== 'type');
  return [...declared, ...listed.map(({ exported }) => exported)].flatMap((node) => nameOf(node) ?? []);
}

function impurityOf(node: Node): string | undefined {
  if (node.type === 'NewExpression' && nameOf(node.callee) === 'Date' && isEmpty(node.arguments)) return 'new Date()';
  if (node.type === 'MemberExpression') {
    const name = `${nameOf(node.object)}.${nameOf(node.property)}`;
    return memberGlobals.has(name) ? name : undefined;
  }
  if (node.type !== 'CallExpression') return undefined;
  const name = nameOf(node.callee);
  return name !== undefined && bareGlobals.has(name) ? name : undefined;
}

function nameOf(node: unknown): string | undefined {
  return isNode(node) && node.type === 'Identifier' && typeof node.name === 'string' ? node.name : undefined;
}

function literalOf(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  if (node.type === 'TSLiteralType') return literalOf(node.literal);
  return node.type === 'Literal' && typeof node.value === 'string' ? node.value : undefined;
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

function walk(value: unknown, visit: (node: Node) => void): void {
  if (Array.isArray(value)) {
    for (const item of value) walk(item, visit);
    return;
  }
  if (!isNode(value)) return;
  visit(value);
  for (const field of Object.values(value)) {
    if (typeof field === 'object' && field !== null) walk(field, visit);
  }
}

function nodesIn(value: unknown): Node[] {
  return Array.isArray(value) ? value.filter(isNode) : [];
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}
