/** What `gateway/kvs/CONFORMANCE.md` says. */

import { checklist, type Part } from './checklist.ts';

export type PointResult = {
  readonly status: 'passed' | 'failed' | 'not tried';
  /** By which it was tried over the wire; none where tests of units alone did. */
  readonly clients: readonly string[];
};

const words: Readonly<Record<PointResult['status'], string>> = {
  passed: 'yes',
  failed: '**no**',
  'not tried': 'not tried here',
};

/** The document, from the results of all points. */
export function conformanceText(results: ReadonlyMap<number, PointResult>): string {
  const lines = [
    '# What conforms',
    '',
    'Written by `npm run conformance`, which runs the tests and can be run by anyone. *Not tried here*: no client for it is to be had without the internet, or nobody built it yet. Clients are those of the very tests that tried the point; *unit tests*: it was tried without one.',
  ];
  let part: Part | undefined;
  for (const point of checklist) {
    if (point.part !== part) {
      part = point.part;
      lines.push('', `## ${part}`, '', '| | what | works | tried with |', '|---:|---|---|---|');
    }
    const { status, clients } = results.get(point.number) ?? { status: 'not tried', clients: [] };
    const by = status !== 'not tried' && clients.length === 0 ? '*unit tests*' : clients.join(', ');
    lines.push(`| ${point.number} | ${point.text} | ${words[status]} | ${by} |`);
  }
  return `${lines.join('\n')}\n`;
}

/** Points that the document says are tried, for the test that keeps it from growing old. */
export function triedPoints(text: string): number[] {
  return [...text.matchAll(/^\| (\d+) \|.*\| (?:yes|\*\*no\*\*) \|/gm)].map(([, number]) => Number(number));
}
