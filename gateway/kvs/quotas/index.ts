/** How much clients of the KVS API may ask for. */

export { type QuotaOptions, Quotas, thingOf } from './quotas.ts';
export { rates } from './rates.ts';
