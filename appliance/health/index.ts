/** How sources did in the last hours. */

export { FigureRing } from './figure-ring.ts';
export { HealthBook, healthLimits } from './health-book.ts';
