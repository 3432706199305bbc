/** The door of the object store. */

export { DirectoryStore } from './directory-store.ts';
export type { ObjectInfo, ObjectSpace, ObjectStore } from './object-store.ts';
export { type NamedStore, OrderedStores, type StoreIdentities } from './ordered-stores.ts';
export { DirectoryPictures, type PictureStore, S3Pictures, type StoredPicture } from './picture-store.ts';
export { isYoungProbe, probeKey } from './probe-key.ts';
export type { S3Server } from './s3-client.ts';
export { type S3Options, S3Store } from './s3-store.ts';
