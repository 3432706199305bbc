/** House rules that a machine can judge: who may import whom, through which doors, and where time and chance come from. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseSource, ranks, readSources, roomOf, root, type Source } from './sources.ts';

const sources = readSources();
const isPage = (path: string) => path.startsWith('appliance/page/');
const isTest = (path: string) => path.startsWith('test/');

function edges(): { from: string; to: string }[] {
  return sources.flatMap((source) => source.files.map((to) => ({ from: source.path, to })));
}

describe('imports', () => {
  it('go down: appliance, then gateway, inference and sync, then storage', () => {
    const wrong = edges().filter(({ from, to }) => {
      const [fromFolder = '', toFolder = ''] = [from.split('/')[0], to.split('/')[0]];
      return fromFolder !== toFolder && (ranks[fromFolder] ?? 0) <= (ranks[toFolder] ?? 0);
    });

    expect(wrong).toEqual([]);
  });

  it('enter a room by its door: index.ts, or any file of storage/base and storage/model', () => {
    const wrong = edges().filter(({ from, to }) => {
      if (isTest(from) || roomOf(from) === roomOf(to)) return false;
      return !/^storage\/(base|model)\/[^/]+$/.test(to) && !/^[^/]+\/([^/]+\/)?index\.ts$/.test(to);
    });

    expect(wrong).toEqual([]);
  });

  it('name existing files with their extension', () => {
    const wrong = edges().filter(({ to }) => !existsSync(join(root, to)) || !/\.(ts|tsx|mjs|json|css)$/.test(to));

    expect(wrong).toEqual([]);
  });

  it('have no cycle, types included', () => {
    expect(cycleIn(sources)).toEqual([]);
  });

  it('of the role that answers clients load neither the recording role nor its publishers', () => {
    const loaded = loadedFrom('appliance/roles/serve.ts');

    expect(loaded).toContain('gateway/playback/index.ts');
    expect(loaded.filter((path) => /^gateway\/(ingest|rtmp)\//.test(path))).toEqual([]);
  });

  it('of the server take only packages that are installed for running it', () => {
    const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const isTool = (path: string) => isTest(path) || isPage(path) || path.endsWith('.config.ts');

    const wrong = sources
      .filter((source) => !isTool(source.path))
      .flatMap((source) => source.packages.map((name) => ({ path: source.path, name })))
      .filter(({ name }) => !(name in dependencies));

    expect(wrong).toEqual([]);
  });

  it('name packages of package.json alone, and use each that the server is installed with', () => {
    const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const imported = new Set(sources.flatMap((source) => source.packages));

    const undeclared = [...imported].filter((name) => !(name in dependencies) && !(name in devDependencies));
    const unused = Object.keys(dependencies).filter((name) => !imported.has(name));

    expect({ undeclared, unused }).toEqual({ undeclared: [], unused: [] });
  });

  it('of the page take nothing of the server but the model', () => {
    const wrong = edges().filter(({ from, to }) => isPage(from) && !isPage(to) && !/^storage\/model\/[^/]+$/.test(to));

    expect(wrong).toEqual([]);
  });
});

describe('doors', () => {
  it('lead to values that somebody takes, be it a test', () => {
    const taken = new Set(sources.flatMap(({ names }) => names.map(({ file, name }) => `${file} ${name}`)));

    const unused = sources
      .filter(({ path }) => /(^|\/)index\.ts$/.test(path) && !taken.has(`${path} *`))
      .flatMap(({ path, values }) => values.map((name) => `${path} ${name}`))
      .filter((value) => !taken.has(value));

    expect(unused).toEqual([]);
  });
});

describe('files', () => {
  it('take time and chance as parameters: clocks, timers and Math.random are in storage/base and test/kit alone', () => {
    const isAllowed = (path: string) =>
      isPage(path) || path.startsWith('storage/base/') || (isTest(path) && !path.startsWith('test/unit/'));

    const wrong = sources
      .filter((source) => !isAllowed(source.path) && source.impurities.length > 0)
      .map(({ path, impurities }) => ({ path, impurities }));

    expect(wrong).toEqual([]);
  });

  it('export by name', () => {
    const wrong = sources.filter((source) => source.hasDefaultExport && !source.path.endsWith('.config.ts'));

    expect(wrong.map((source) => source.path)).toEqual([]);
  });

  it('lie in the folders of the design', () => {
    const known = new Set([...Object.keys(ranks), 'docker', 'data', 'node_modules', 'coverage', 'bench-results']);
    const folders = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory());

    const unknown = folders.map((entry) => entry.name).filter((name) => !name.startsWith('.') && !known.has(name));

    expect(unknown).toEqual([]);
  });
});

describe('the lock file', () => {
  it('names every optional package of every platform: npm ci refuses all otherwise', () => {
    const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
    const entries = Object.entries<{ optionalDependencies?: Record<string, string> }>(packages);

    const missing = entries.flatMap(([path, entry]) =>
      Object.keys(entry.optionalDependencies ?? {}).filter(
        (name) => !(`node_modules/${name}` in packages) && !(`${path}/node_modules/${name}` in packages),
      ),
    );

    expect(missing).toEqual([]);
  });
});

describe('the structure check itself', () => {
  it('sees imports of every form', () => {
    const text = `
      import a from './a.ts'; import type { B } from './b.ts'; export * from './c.ts'; export { d } from './d.ts';
      type E = import('./e.ts').E; const f = await import('./f.ts'); import '@scope/name/deep'; import 'plain/deep';
      import 'node:fs'; // import './not.ts'
      const text = "import './not.ts'";`;

    const source = parseSource('storage/x/y.ts', text);

    expect([...source.files].sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => `storage/x/${name}.ts`));
    expect(source.packages).toEqual(['@scope/name', 'plain']);
  });

  it('knows what is loaded with a file from what is loaded later or never', () => {
    const text = `
      import { type A } from './a.ts'; import './b.ts'; export * from './c.ts'; export { d } from './d.ts';
      import type { E } from './e.ts'; export type { F } from './f.ts'; await import('./g.ts');`;

    const source = parseSource('storage/x/y.ts', text);

    expect(source.loads).toEqual(['a', 'b', 'c', 'd'].map((name) => `storage/x/${name}.ts`));
  });

  it('sees what is taken and exported by name', () => {
    const text = `
      import { a as b, type C } from './a.ts'; import * as d from './d.ts'; await import('./e.ts'); export { f } from './f.ts';
      export { g as h, type I }; export const j = 1, k = 2; export function l() {} export class M {} export type N = 1;`;

    const { names, values } = parseSource('storage/x/y.ts', text);

    expect(names.map(({ file, name }) => `${file.slice('storage/x/'.length)} ${name}`)).toEqual([
      ...['a.ts a', 'a.ts C', 'd.ts *', 'f.ts f', 'e.ts *'],
    ]);
    expect(values).toEqual(['f', 'h', 'j', 'k', 'l', 'M']);
  });

  it('sees clocks, timers and chance, and not their namesakes', () => {
    const wrong = 'Date.now(); const t = performance.now; setTimeout(f, 1); new Date(); Math.random();';
    const right = 'clock.setTimeout(f); new Date(0); Date.UTC(2026); Math.max(1, 2); type T = typeof setTimeout;';

    expect(parseSource('a.ts', wrong).impurities).toEqual([
      'Date.now',
      'performance.now',
      'setTimeout',
      'new Date()',
      'Math.random',
    ]);
    expect(parseSource('a.ts', right).impurities).toEqual([]);
  });

  it('finds a cycle and names its files', () => {
    const source = (path: string, ...files: string[]): Source => ({
      path,
      files,
      loads: files,
      names: [],
      values: [],
      packages: [],
      hasDefaultExport: false,
      impurities: [],
    });

    expect(cycleIn([source('a', 'b'), source('b', 'c', 'd'), source('c'), source('d', 'b')])).toEqual(['b', 'd', 'b']);
  });
});

/** A file and all that is loaded with it. */
function loadedFrom(entry: string): string[] {
  const loadsOf = new Map(sources.map((source) => [source.path, source.loads]));
  const loaded = new Set([entry]);
  for (const path of loaded) for (const next of loadsOf.get(path) ?? []) loaded.add(next);
  return [...loaded];
}

/** The files of one cycle in the order of import, or nothing. */
function cycleIn(all: readonly Source[]): string[] {
  const filesOf = new Map(all.map((source) => [source.path, source.files]));
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): string[] => {
    const at = path.indexOf(file);
    if (at >= 0) return [...path.slice(at), file];
    if (done.has(file)) return [];
    path.push(file);
    for (const next of filesOf.get(file) ?? []) {
      const cycle = visit(next);
      if (cycle.length > 0) return cycle;
    }
    path.pop();
    done.add(file);
    return [];
  };
  for (const file of filesOf.keys()) {
    const cycle = visit(file);
    if (cycle.length > 0) return cycle;
  }
  return [];
}
