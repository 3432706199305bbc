/** What passes through this room. */

import type { SourceSink } from '../../rtsp/index.ts';

/**
 * Takes what a peer sends: the sink of any source. `session` begins a timeline near 0 and comes again when the picture really changed
 * or a clock jumped; units are borrowed until return.
 */
export type MediaSink = SourceSink;
