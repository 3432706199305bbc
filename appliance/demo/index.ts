/** The demo camera. */

export { Demo } from './demo.ts';
