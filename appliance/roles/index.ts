/** The roles as processes: under a supervisor, or alone. Which code each loads is decided when it starts. */

export { collectSupport, diagnose } from './examine.ts';
export { objectStoreOf, storeTimeoutMsOf } from './object-store.ts';
export { releaseVersion } from './release.ts';
export { runRoleAlone } from './run-alone.ts';
export { runRoleProcess } from './run-role.ts';
export { installDirectory, mainEntry, pathsOf, siteKeyPath } from './setting-paths.ts';
