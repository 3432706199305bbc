/** The door of KVS storage sessions: masters whose media is stored, and viewers of it. */

export { storageSessionLimits } from './limits.ts';
export type { RecordingParts } from './recording.ts';
export { StorageSessions, type StorageSessionsDeps } from './storage-sessions.ts';
export { StreamPut, type StreamPutDeps } from './stream-put.ts';
