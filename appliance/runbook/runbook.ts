/**
 * The runbook: one page for every code that people meet, in Markdown beside this file, shown as HTML without any network. What a
 * page says is ours, so it is not cleaned; which file is read is decided by a list of names, not by what a request says.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { appError } from '../../storage/base/errors.ts';

const suffix = '.md';

/** Codes with a page. */
export function runbookCodes(): string[] {
  return readdirSync(import.meta.dirname)
    .filter((name) => name.endsWith(suffix) && name !== 'README.md')
    .map((name) => name.slice(0, -suffix.length))
    .sort();
}

/** Where the page of a code is, below our own origin. */
export function helpPath(code: string): string {
  return `/help/${code}`;
}

export class Runbook {
  readonly #pages = new Map<string, { readonly title: string; readonly text: string }>();

  /** Reads all pages: some 100 KB. */
  start(): void {
    for (const code of runbookCodes()) {
      const text = readFileSync(join(import.meta.dirname, `${code}${suffix}`), 'utf8');
      this.#pages.set(code, { title: /^# (.+)$/m.exec(text)?.[1] ?? code, text });
    }
  }

  /** Codes and titles, by code. */
  list(): { readonly code: string; readonly title: string }[] {
    return [...this.#pages].map(([code, { title }]) => ({ code, title }));
  }

  /** A whole HTML page. @throws AppError not_found  no page has that code */
  async html(code: string): Promise<string> {
    const page = this.#pages.get(code);
    if (page === undefined) {
      throw appError('not_found', 'the runbook has no page of that code', { hint: 'GET /help lists all pages' });
    }
    // Loaded when somebody reads: the port need not wait for it.
    const { marked } = await import('marked');
    const body = await marked.parse(page.text, { async: true, gfm: true });
    return document(page.title, `${body}<p><code>${code}</code> &middot; <a href="/help">all pages</a></p>`);
  }

  /** The list as HTML. */
  htmlOfList(): string {
    const lines = this.list().map(
      ({ code, title }) =>
        `<tr><td><a href="/help/${code}"><code>${code}</code></a></td><td>${escaped(title)}</td></tr>`,
    );
    return document('Runbook', `<h1>Runbook</h1><table>${lines.join('')}</table>`);
  }
}

/** The page's own rule for content forbids inline styles: this is asked for by itself. */
export const runbookStyle = `:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 1.5rem }
code { font-size: 0.9em; background: color-mix(in srgb, currentColor 10%, transparent); padding: 0.1em 0.3em; border-radius: 3px }
li { margin: 0.3rem 0 } td { padding: 0.15rem 1rem 0.15rem 0; vertical-align: top }
@media print { body { margin: 0 } }
`;

function document(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)} - Weir</title><link rel="stylesheet" href="/help/style.css"></head>
<body>${body}</body></html>
`;
}

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}
