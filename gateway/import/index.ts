/** Files become footage: see README.md. */

export { type ImportHead, type ImportProgress, type ImportResult, importIdOf, parseImportHead } from './import-head.ts';
export { ImportPut, type ImportPutDeps } from './import-put.ts';
