/** Tells a person who is turned away what is being converted, by names and not by ids, and only of cameras that they may see. */

import type { RunningConversion } from '../../gateway/playback/index.ts';
import { appError, isAppError } from '../../storage/base/errors.ts';
import type { Caller } from './caller.ts';
import type { Context } from './context.ts';
import { streamResource } from './resources.ts';

const kindTexts = { live: 'live', recorded: 'recorded', clip: 'as a download', webrtc: 'live by WebRTC' } as const;
const advice =
  "watch the camera's smaller picture, download the original, or try again when one of them has ended; the setting is playback.conversionsMax";

/** For `catch`: throws the refusal with what the caller may know of its cause, and everything else as it is. */
export function toldTo(caller: Caller, { catalog }: Pick<Context, 'catalog'>): (error: unknown) => never {
  return (error) => {
    const running = isAppError(error, 'resource_exhausted') ? error.context.running : undefined;
    if (!isAppError(error) || !Array.isArray(running) || running.length === 0) throw error;
    const texts = (running as readonly RunningConversion[]).flatMap(({ streamId, kind, viewers }) => {
      const stream = catalog.tables.cameras.findStream(streamId);
      if (stream === undefined || !caller.may('streams:view', streamResource(catalog, streamId))) return [];
      return [`${stream.name} ${kindTexts[kind]} (${viewers.join('; ')})`];
    });
    const hidden = running.length - texts.length;
    const others = hidden === 0 ? [] : [`${hidden} ${hidden === 1 ? 'camera' : 'cameras'} that you may not see`];
    throw appError('resource_exhausted', error.message, {
      ...error.context,
      cause: error,
      hint: `now converted: ${[...texts, ...others].join(', ')}; ${advice}`,
    });
  };
}
