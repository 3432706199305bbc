/** Media playlists as text (RFC 8216bis). Pure; which entries they have is decided in `hls.ts`. */

/** One media segment of a playlist. */
export type MediaEntry = {
  readonly uri: string;
  readonly durationMs: number;
  /** Server time of its beginning, milliseconds since 1970 UTC. */
  readonly serverTimestampMs: number;
  readonly isDiscontinuity: boolean;
  /** Initialization of its decoder; undefined only for a gap. */
  readonly mapUri: string | undefined;
  /** There is nothing to load: players skip it. */
  readonly isGap: boolean;
  /** The same media in pieces, for players that want low latency. */
  readonly parts?: readonly MediaPart[];
};

/** One part of a media segment. */
export type MediaPart = {
  readonly uri: string;
  readonly durationMs: number;
  /** It begins with a key frame. */
  readonly isIndependent: boolean;
};

/** What a playlist has for players that want low latency, which also may wait for it to change. */
export type LowLatencyTags = {
  /** Undefined while there are segments only. */
  readonly parts:
    | undefined
    | {
        readonly targetMs: number;
        /** Of the segment that follows the last entry, as far as they are there. */
        readonly open: readonly MediaPart[];
        /** Of the part that comes next. */
        readonly hintUri: string;
      };
  /** How far the other renditions are. */
  readonly reports: readonly {
    readonly uri: string;
    readonly mediaSequence: number;
    readonly part: number | undefined;
  }[];
};

export type MediaPlaylist = {
  /** `live` slides, `event` only grows, `vod` is whole. */
  readonly type: 'live' | 'event' | 'vod';
  readonly targetDurationS: number;
  /** Numbers of the first entry. */
  readonly mediaSequence: number;
  readonly discontinuitySequence: number;
  /** Every entry can be decoded without an earlier one. */
  readonly isIndependent: boolean;
  /** Where in the playlist a player should begin, when that is not its beginning. */
  readonly startOffsetMs?: number;
  readonly entries: readonly MediaEntry[];
  readonly lowLatency?: LowLatencyTags;
};

/** RFC 8216bis 4.4.3.8: players stay three part targets behind; what they may at least is two. */
const partHoldBackTargets = 3;
/** EXTINF says where the next segment lies; a wall time further off than this is said anew. */
const wallDriftMsMax = 10;

/**
 * Writes a media playlist.
 * EXT-X-TARGETDURATION is what the session said at its beginning. A camera that gets longer GOPs inside a session breaks
 * either its constancy or its being an upper bound; the bound is kept, since players size their patience by it.
 */
export function mediaPlaylistText(playlist: MediaPlaylist): string {
  const longestS = playlist.entries.reduce((s, entry) => Math.max(s, Math.round(entry.durationMs / 1000)), 0);
  const lines = [
    '#EXTM3U',
    '#EXT-X-VERSION:8',
    `#EXT-X-TARGETDURATION:${Math.max(playlist.targetDurationS, longestS)}`,
    `#EXT-X-MEDIA-SEQUENCE:${playlist.mediaSequence}`,
  ];
  if (playlist.discontinuitySequence > 0) {
    lines.push(`#EXT-X-DISCONTINUITY-SEQUENCE:${playlist.discontinuitySequence}`);
  }
  if (playlist.type !== 'live') lines.push(`#EXT-X-PLAYLIST-TYPE:${playlist.type.toUpperCase()}`);
  if (playlist.isIndependent) lines.push('#EXT-X-INDEPENDENT-SEGMENTS');
  if (playlist.startOffsetMs !== undefined) {
    lines.push(`#EXT-X-START:TIME-OFFSET=${seconds(playlist.startOffsetMs)},PRECISE=YES`);
  }
  lines.push(...controlLines(playlist));
  let mapUri: string | undefined;
  let expectedMs = Number.NaN;
  // With parts hls.js places a session's first playlists by dates, and begins with them. Server time is slewed in a run's first
  // seconds: where its dates differed from what lasts between them, pictures lay beside their places as long as the first segment
  // is there, and a last segment before a break that was shorter than that stopped hls.js for good.
  const driftMsMax = playlist.lowLatency === undefined ? wallDriftMsMax : Number.POSITIVE_INFINITY;
  playlist.entries.forEach((entry, at) => {
    // A break before the first entry belongs to the discontinuity sequence number.
    if (entry.isDiscontinuity && at > 0) lines.push('#EXT-X-DISCONTINUITY');
    if (entry.isGap) lines.push('#EXT-X-GAP');
    if (entry.mapUri !== undefined && entry.mapUri !== mapUri) lines.push(`#EXT-X-MAP:URI="${entry.mapUri}"`);
    if (entry.isDiscontinuity || !(Math.abs(entry.serverTimestampMs - expectedMs) <= driftMsMax)) {
      lines.push(`#EXT-X-PROGRAM-DATE-TIME:${new Date(entry.serverTimestampMs).toISOString()}`);
      expectedMs = entry.serverTimestampMs;
    }
    lines.push(...(entry.parts ?? []).map(partLine));
    lines.push(`#EXTINF:${seconds(entry.durationMs)},`, entry.uri);
    mapUri = entry.mapUri ?? mapUri;
    expectedMs += entry.durationMs;
  });
  if (playlist.lowLatency !== undefined) lines.push(...endLines(playlist.lowLatency));
  if (playlist.type === 'vod') lines.push('#EXT-X-ENDLIST');
  return `${lines.join('\n')}\n`;
}

/** What may be asked for. A part that a camera made longer than its kind raises the target, as EXT-X-TARGETDURATION does. */
function controlLines({ entries, lowLatency }: MediaPlaylist): string[] {
  if (lowLatency === undefined) return [];
  const { parts } = lowLatency;
  if (parts === undefined) return ['#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES'];
  const all = [...entries.flatMap((entry) => entry.parts ?? []), ...parts.open];
  const targetMs = all.reduce((ms, { durationMs }) => Math.max(ms, Math.ceil(durationMs)), parts.targetMs);
  return [
    `#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=${seconds(partHoldBackTargets * targetMs)}`,
    `#EXT-X-PART-INF:PART-TARGET=${seconds(targetMs)}`,
  ];
}

function endLines({ parts, reports }: LowLatencyTags): string[] {
  return [
    ...(parts === undefined
      ? []
      : [...parts.open.map(partLine), `#EXT-X-PRELOAD-HINT:TYPE=PART,URI="${parts.hintUri}"`]),
    ...reports.map(
      ({ uri, mediaSequence, part }) =>
        `#EXT-X-RENDITION-REPORT:URI="${uri}",LAST-MSN=${mediaSequence}${part === undefined ? '' : `,LAST-PART=${part}`}`,
    ),
  ];
}

function partLine({ uri, durationMs, isIndependent }: MediaPart): string {
  return `#EXT-X-PART:DURATION=${seconds(durationMs)},URI="${uri}"${isIndependent ? ',INDEPENDENT=YES' : ''}`;
}

function seconds(durationMs: number): string {
  return (durationMs / 1000).toFixed(3);
}
