/** What the set-up tells the appliance. */

export { whyNoWorker, workerThere } from './mediasoup-place.mjs';
