/** The door of the bridge: streams of cameras as producers of mediasoup, while somebody watches. */

export { Bridges, type BridgesDeps, type BridgesFigures } from './bridges.ts';
export type { BridgeWorker, StreamBridges, ViewerCodec, Watched, WatchOptions } from './watched.ts';
