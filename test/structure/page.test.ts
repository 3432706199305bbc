/** A rule of Solid that no type tells: what a callback of `Show` or `Match` returns is made once, so only elements in it stay true. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSync } from 'vite';
import { expect, it } from 'vitest';
import { root } from './sources.ts';

type Node = { readonly type: string; readonly [field: string]: unknown };

const pageSources = join(root, 'appliance/page/src');

/** Every `{(value) => ...}` inside of `Show` or `Match`, unless it is keyed, that returns something other than elements. */
function staleCallbacks(path: string, text: string): string[] {
  const { program, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path} does not parse: ${errors[0]?.message}`);
  const found: string[] = [];
  walk(program, (node) => {
    if (node.type !== 'JSXElement' || !isConditional(node.openingElement as Node)) return;
    for (const child of node.children as readonly Node[]) {
      const callback = child.type === 'JSXExpressionContainer' ? (child.expression as Node) : undefined;
      if (callback?.type !== 'ArrowFunctionExpression' || (callback.params as readonly Node[]).length === 0) continue;
      if (returned(callback).every((one) => one.type === 'JSXElement' || one.type === 'JSXFragment')) continue;
      const begin = callback.start as number;
      found.push(`${path}:${text.slice(0, begin).split('\n').length}: ${text.slice(begin, callback.end as number)}`);
    }
  });
  return found;
}

function isConditional(opening: Node): boolean {
  const { name } = opening.name as Node;
  const attributes = opening.attributes as readonly { readonly name?: Node }[];
  return (name === 'Show' || name === 'Match') && !attributes.some((one) => one.name?.name === 'keyed');
}

function returned(callback: Node): Node[] {
  const body = bare(callback.body as Node);
  if (body.type !== 'BlockStatement') return [body];
  return (body.body as readonly Node[]).flatMap((one) =>
    one.type === 'ReturnStatement' && one.argument ? [bare(one.argument as Node)] : [],
  );
}

function bare(node: Node): Node {
  return node.type === 'ParenthesizedExpression' ? bare(node.expression as Node) : node;
}

function walk(value: unknown, visit: (node: Node) => void): void {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value) && 'type' in value && typeof value.type === 'string') visit(value as Node);
  for (const field of Object.values(value)) walk(field, visit);
}

it('callbacks of the page that get a value return elements: text alone would stand still', () => {
  const files = readdirSync(pageSources, { recursive: true, encoding: 'utf8' }).filter((name) => /\.tsx$/.test(name));

  const wrong = files.flatMap((name) => staleCallbacks(name, readFileSync(join(pageSources, name), 'utf8')));

  expect(files.length).toBeGreaterThan(40);
  expect(wrong).toEqual([]);
});

it('a callback that returns text is found, and one that returns elements is not', () => {
  const of = (line: string) => staleCallbacks('x.tsx', `const x = ${line};`).length;

  expect(of('<Show when={hint()}>{(hint) => sentence(hint())}</Show>')).toBe(1);
  expect(of('<Show when={a > b}>{(hint) => (isLong() ? <b>{hint()}</b> : <i />)}</Show>')).toBe(1);
  expect(of('<Match when={hint()}>{(hint) => `told`}</Match>')).toBe(1);
  expect(of('<Show when={hint()}>{(hint) => { return hint(); }}</Show>')).toBe(1);
  expect(of('<Show when={hint()}>{(hint) => <>{sentence(hint())}</>}</Show>')).toBe(0);
  expect(of('<Show when={hint()}>{(hint) => (<b>{hint()}</b>)}</Show>')).toBe(0);
  expect(of('<Show when={hint()} keyed>{(hint) => sentence(hint)}</Show>')).toBe(0);
  expect(of('<For each={hints}>{(hint) => sentence(hint)}</For>')).toBe(0);
});
