/** The door of WHIP publishers at the process that records; what they send is taken by `serve`. See README.md. */

export { MediaWriter } from './media-writer.ts';
export { isAccepted, isWhipHead, parseWhipHead, type WhipHead } from './messages.ts';
export { WhipSession } from './session.ts';
export { WhipDoor } from './whip-door.ts';
