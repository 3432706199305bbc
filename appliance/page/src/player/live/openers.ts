/** The ways of watching one stream live, by its addresses at the appliance. */

import { canPlayCodec } from '../playable.ts';
import { type HlsOptions, openHls } from './hls.ts';
import type { Opener, Way } from './session.ts';
import { openSocket } from './socket.ts';
import { openWhep } from './whep.ts';

export function openersOf(
  streamId: string,
  hls: Omit<HlsOptions, 'url'> & { readonly query: string },
): Record<Way, Opener> {
  const { query, ...options } = hls;
  const origin = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}`;
  const video = canPlayCodec('h265') ? '' : '?video=h264';
  return {
    webrtc: (element, events) => openWhep(`/whep/${streamId}`, element, events),
    socket: (element, events) => openSocket(`${origin}/api/streams/${streamId}/live${video}`, element, events),
    hls: (element, events) =>
      openHls({ ...options, url: `/api/streams/${streamId}/hls/master.m3u8?${query}` }, element, events),
  };
}
