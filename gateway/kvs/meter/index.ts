/** Metrics under the names that AWS gave them. */

export { KvsMeter, snakeCase } from './meter.ts';
