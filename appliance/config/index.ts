/** Settings: one schema, and how it is read. */

export { type ConfigInput, loadConfig, readConfig, withFlags } from './load.ts';
export { nearest } from './nearest.ts';
export { type Config, type ConfigKey, configKeys, flagName, keyName } from './schema.ts';
