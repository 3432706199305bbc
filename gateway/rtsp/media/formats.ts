/** Which of the described media we record, and why the others are left out. */

import type { MediaDescription, MediaFormat, SessionDescription } from '../wire/sdp.ts';

export type MediaKind = 'video' | 'audio';

export type ChosenMedia = {
  readonly kind: MediaKind;
  readonly trackNumber: number;
  readonly media: MediaDescription;
  readonly format: MediaFormat;
  readonly codec: 'h264' | 'h265' | 'aac' | 'aac-latm' | 'pcmu' | 'pcma' | 'opus';
};

export type Choice = { readonly chosen: readonly ChosenMedia[]; readonly leftOut: readonly string[] };

const codecs: Readonly<Record<string, { readonly kind: MediaKind; readonly codec: ChosenMedia['codec'] }>> = {
  H264: { kind: 'video', codec: 'h264' },
  H265: { kind: 'video', codec: 'h265' },
  HEVC: { kind: 'video', codec: 'h265' },
  'MPEG4-GENERIC': { kind: 'audio', codec: 'aac' },
  'MP4A-LATM': { kind: 'audio', codec: 'aac-latm' },
  PCMU: { kind: 'audio', codec: 'pcmu' },
  G711U: { kind: 'audio', codec: 'pcmu' },
  PCMA: { kind: 'audio', codec: 'pcma' },
  G711A: { kind: 'audio', codec: 'pcma' },
  OPUS: { kind: 'audio', codec: 'opus' },
};

const trackNumbers = { video: 1, audio: 2 } as const;

/**
 * The first playable video and the first playable sound. Back channels (the way to a camera's loudspeaker, announced as
 * sendonly) and metadata are not media of ours and not mentioned.
 */
export function chooseMedia(description: SessionDescription): Choice {
  const chosen: ChosenMedia[] = [];
  const leftOut: string[] = [];
  for (const media of description.medias) {
    if (media.direction === 'sendonly' || media.direction === 'inactive') continue;
    if (media.kind !== 'video' && media.kind !== 'audio') continue;
    const playable = media.formats.find((format) => codecs[format.encoding]?.kind === media.kind);
    const codec = codecs[playable?.encoding ?? ''];
    const noun = media.kind === 'video' ? 'picture' : 'sound';
    if (playable === undefined || codec === undefined) {
      const names = media.formats.map((format) => format.encoding || `payload type ${format.payloadType}`);
      leftOut.push(`${noun} in ${names.join(' or ') || 'no known format'} cannot be recorded and is left out`);
    } else if (chosen.some((other) => other.kind === media.kind)) {
      leftOut.push(`a second ${noun} (${playable.encoding}) is left out`);
    } else {
      const { kind } = media;
      chosen.push({ kind, trackNumber: trackNumbers[kind], media, format: playable, codec: codec.codec });
    }
  }
  chosen.sort((a, b) => a.trackNumber - b.trackNumber);
  return { chosen, leftOut };
}

/** RTP clock of a chosen format; cameras that write none or 0 mean the usual. */
export function clockRateOf(chosen: ChosenMedia): number {
  const { clockRateHz } = chosen.format;
  if (chosen.kind === 'video') return 90_000;
  if (chosen.codec === 'opus') return 48_000;
  return clockRateHz >= 4_000 && clockRateHz <= 192_000 ? clockRateHz : 8_000;
}
