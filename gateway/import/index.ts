/** Files become footage: see README.md. */

export { type ImportHead, type ImportProgress, type ImportResult, importIdOf, parseImportHead } from './import-head.ts';
export { ImportPut, type ImportPutDeps } from './import-put.ts';
export {
  type ImportFootage,
  type ImportRequest,
  type ImportState,
  type ImportStatus,
  Imports,
  type ImportsDeps,
} from './imports.ts';
export { ffprobeBeside } from './media-file.ts';
