/** The door of the bridge: streams of cameras as producers of mediasoup, while somebody watches. */

export type { BridgeWorker, StreamBridges, ViewerCodec, Watched, WatchOptions } from './watched.ts';
