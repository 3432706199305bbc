/** Recordings and live streams for players and programs: streaming session URLs and what they name, clips, images. */

export { type ClipDeps, clipOperations } from './get-clip.ts';
export { type ImageDeps, imageOperations } from './get-images.ts';
export { PlaybackResources, type Resource, type ResourceDeps } from './resources.ts';
export { SessionTokens } from './session-tokens.ts';
export { SessionWalks } from './session-walks.ts';
export type { Meter, SessionSource } from './source.ts';
export { type StreamingSessionDeps, streamingSessionOperations } from './streaming-session.ts';
