/** mediasoup workers. Nothing is loaded before the plane starts. */

export { MediaPlane, type MediaPlaneDeps, type MediaPlaneOptions, type PlaneFigures } from './media-plane.ts';
export { plainSocket } from './plain-socket.ts';
export type { MediaWorker, PayloadTypes, PeerOptions, PlaneStatus } from './types.ts';
