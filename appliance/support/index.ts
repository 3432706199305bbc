/** The door of the file for support: what it holds, what it never holds, and how it is packed. */

export { type CollectDeps, type CollectOptions, collect, traced } from './collect.ts';
export { encodingsOf, Scrubber } from './scrubber.ts';
export { type ArchivedText, tarOf } from './tar.ts';
