/** The door of the object store. */

export { DirectoryStore } from './directory-store.ts';
export type { ChangeOptions, ObjectInfo, ObjectSpace, ObjectStore } from './object-store.ts';
export { parseObjectKey } from './object-store.ts';
