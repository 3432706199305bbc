/** The door of RTMP: where publishers arrive, and a session with one. See README.md. */

export { RtmpListener, type RtmpListenerOptions } from './listener.ts';
export { RtmpSession } from './session.ts';
