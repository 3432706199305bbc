/** WebRTC, in the role `serve`. mediasoup is loaded when the plane starts, by nothing that stands here. */

export { MediaPlane, type MediaWorker, type PlaneStatus } from './media-plane/index.ts';
