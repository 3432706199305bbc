/** Which clients a test talks with, told by what it names itself: other tests of its file tried what they tried. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseSync } from 'vite';

/** Who talks to us in a test, by the names of packages, programs and our kit's helpers. Nobody of these: a client of the test's own. */
const clientMarks: readonly (readonly [client: string, mark: RegExp])[] = [
  ['AWS SDK for JavaScript', /@aws-sdk\/client-|\bsdkAt\b|\bsdk\(|\b(?:hlsUrl|dashUrl|openMedia|getMedia|mediaOf)\b/],
  ['KVS WebRTC SDK for JavaScript', /amazon-kinesis-video-streams-webrtc|\bsdkBundle\b/],
  ['boto3', /\bimport [^\n]*\bboto3\b/],
  ['botocore', /\bimport [^\n]*\bbotocore\b/],
  ['AWS CLI', /'aws'/],
  ['Chromium', /playwright-core|\b(?:launchChromium|startBrowser|startPages)\b/],
  ['ffmpeg', /'ff(?:mpeg|probe)'|\b(?:probeFrames|clipBytes)\b/],
  ['libcurl', /'curl'/],
  ['GStreamer', /gst-launch|\bmatroskamux\b|'gstreamer\.mkv'/],
  ['a WebSocket of the test', /\.socket\.(?:send|ping)\(|\.say\(/],
  ['coturn', /\b(?:startTurnServer|turnserver)\b/],
];

/** As much of oxc's tree as is looked at. */
type Node = {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly name?: string;
  readonly id?: Node | null;
  readonly callee?: Node;
  readonly object?: Node;
  readonly source?: { readonly value: string } | null;
  readonly specifiers?: readonly { readonly local: { readonly name: string } }[];
  readonly computed?: boolean;
  readonly shorthand?: boolean;
};

/** A test's call, and everything that it stands on in its file. */
type Told = { readonly titles: readonly string[]; readonly text: string };

/** Clients by which the test of this title talks to us. Tests of a unit talk to no server, so that they have none. */
export async function clientsOf(root: string, file: string, title: string): Promise<string[]> {
  if (file.startsWith(join('test', 'unit'))) return [];
  const source = await readFile(join(root, file), 'utf8');
  return clientsIn(source, title);
}

/** The same of a source that is at hand. */
export function clientsIn(source: string, title: string): string[] {
  const [, text = ''] =
    testsIn(source)
      .flatMap(({ titles, text }) => titles.map((begin) => [begin, text] as const))
      .filter(([begin]) => title.startsWith(begin))
      .sort(([a], [b]) => b.length - a.length)
      .at(0) ?? [];
  const clients = clientMarks.filter(([, mark]) => mark.test(text)).map(([client]) => client);
  return clients.length > 0 ? clients : ['a client of the test'];
}

function testsIn(source: string): Told[] {
  const { program, comments } = parseSync('a.test.ts', source);
  const code = comments.reduce(
    (text, { start, end }) => text.slice(0, start) + ' '.repeat(end - start) + text.slice(end),
    source,
  );
  const textOf = ({ start, end }: Node) => code.slice(start, end);
  const declared = new Map<string, Node[]>();
  const imported = new Map<string, string>();
  const tests: Node[] = [];
  const outside = (node: Node): void => {
    if (isTest(node)) {
      tests.push(node);
      return;
    }
    if (node.type === 'ImportDeclaration') {
      for (const { local } of node.specifiers ?? []) {
        imported.set(local.name, `import { ${local.name} } from '${node.source?.value}';`);
      }
    }
    const name = node.id?.name;
    if (name !== undefined) declared.set(name, [...(declared.get(name) ?? []), node]);
    // What a function has inside is its own, unless it is the body of a `describe` or a hook.
    if (name === undefined) for (const child of childrenOf(node)) outside(child);
  };
  outside(program as unknown as Node);
  return tests.map((test) => {
    const nodes = new Set<Node>([test]);
    const imports = new Set<string>();
    for (const node of nodes) {
      for (const name of namesIn(node)) {
        for (const found of declared.get(name) ?? []) nodes.add(found);
        const line = imported.get(name);
        if (line !== undefined) imports.add(line);
      }
    }
    const texts = [...nodes].map(textOf);
    return { titles: texts.flatMap(titlesIn), text: [...imports, ...texts].join('\n') };
  });
}

/** `test(...)`, `test.each(...)(...)` and the like, whole. */
function isTest(node: Node): boolean {
  let at: Node | undefined = node.type === 'CallExpression' ? node : undefined;
  while (at?.type === 'CallExpression' || at?.type === 'MemberExpression') at = at.callee ?? at.object;
  return at?.type === 'Identifier' && at.name === 'test';
}

/** How names that claim points begin, up to what a table of cases puts into them. */
function titlesIn(text: string): string[] {
  return [...text.matchAll(/['"`](\([\d, ]+\)(?: [^\n'"`%$]*)?)/g)].map(([, begin = '']) => begin);
}

/** Names that are meant as such: no properties, no keys. */
function* namesIn(node: Node): Generator<string> {
  if (node.type === 'Identifier' && node.name !== undefined) yield node.name;
  for (const [key, child] of childEntriesOf(node)) {
    const isProperty = node.type === 'MemberExpression' && key === 'property';
    const isKey = node.type === 'Property' && key === 'key' && node.shorthand !== true;
    if ((isProperty || isKey) && node.computed !== true) continue;
    yield* namesIn(child);
  }
}

function childrenOf(node: Node): Node[] {
  return childEntriesOf(node).map(([, child]) => child);
}

function childEntriesOf(node: Node): [string, Node][] {
  return Object.entries(node).flatMap(([key, value]) =>
    (Array.isArray(value) ? value : [value]).filter(isNode).map((child): [string, Node] => [key, child]),
  );
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string';
}
