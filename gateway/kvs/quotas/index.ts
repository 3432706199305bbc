/** How much clients of the KVS API may ask for. */

export { type Admission, type QuotaOptions, Quotas, thingOf } from './quotas.ts';
