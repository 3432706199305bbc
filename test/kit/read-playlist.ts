/** Media playlists as a player of low-latency HLS reads them. */

import { must } from '../../storage/base/assert.ts';

/** A playlist as a player reads it. */
export type ReadPlaylist = {
  readonly text: string;
  readonly targetDurationS: number;
  readonly partTargetS: number | undefined;
  readonly segments: readonly ReadSegment[];
  /** Parts behind the last segment. */
  readonly open: readonly ReadPart[];
  readonly hintUri: string | undefined;
};

export type ReadPart = { readonly uri: string; readonly durationS: number; readonly isIndependent: boolean };

export type ReadSegment = {
  readonly mediaSequence: number;
  readonly uri: string;
  readonly durationS: number;
  readonly isDiscontinuity: boolean;
  readonly parts: readonly ReadPart[];
};

/** What a playlist says of segments and parts. */
export function readPlaylist(text: string): ReadPlaylist {
  const value = (pattern: RegExp) => pattern.exec(text)?.[1];
  let mediaSequence = Number(must(value(/#EXT-X-MEDIA-SEQUENCE:(\d+)/), 'has a media sequence'));
  const segments: ReadSegment[] = [];
  let parts: ReadPart[] = [];
  let isDiscontinuity = false;
  let durationS = 0;
  for (const line of text.split('\n')) {
    const [, partS, uri, independent] =
      /^#EXT-X-PART:DURATION=([\d.]+),URI="([^"]+)"(,INDEPENDENT=YES)?$/.exec(line) ?? [];
    if (partS !== undefined && uri !== undefined) {
      parts.push({ uri, durationS: Number(partS), isIndependent: independent !== undefined });
    }
    if (line === '#EXT-X-DISCONTINUITY') isDiscontinuity = true;
    if (line.startsWith('#EXTINF:')) durationS = Number(line.slice(8, -1));
    if (line === '' || line.startsWith('#')) continue;
    segments.push({ mediaSequence: mediaSequence++, uri: line, durationS, isDiscontinuity, parts });
    parts = [];
    isDiscontinuity = false;
  }
  const partTarget = value(/#EXT-X-PART-INF:PART-TARGET=([\d.]+)/);
  return {
    ...{ text, segments, open: parts },
    targetDurationS: Number(value(/#EXT-X-TARGETDURATION:(\d+)/)),
    partTargetS: partTarget === undefined ? undefined : Number(partTarget),
    hintUri: value(/#EXT-X-PRELOAD-HINT:TYPE=PART,URI="([^"]+)"/),
  };
}
