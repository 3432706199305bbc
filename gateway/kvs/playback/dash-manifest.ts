/**
 * DASH manifests as text: one period, whose timeline starts with the session and has no gaps that the player did not live through,
 * since players get stuck in gaps. What time a fragment is of is told by `kvs:ts`. Pure.
 */

import { playedCodecString, renditionsOf } from '../../playback/index.ts';
import { leadingTrack, soundTrack } from './hls-playlists.ts';
import type { PlaybackSession } from './session.ts';
import type { SessionEntry } from './session-entry.ts';
import type { SessionWindow } from './session-walks.ts';

/** Media times begin here, so that sound that begins before its picture has one too. */
export const dashBaseMs = 10_000;
const namespaces = 'xmlns="urn:mpeg:dash:schema:mpd:2011" xmlns:kvs="urn:amazon:kinesisvideo:dash"';
/** Fragments that a live player stays behind. */
const delayFragments = 3;

/** @param window.entries  at least one */
export function dashManifestText(
  session: PlaybackSession,
  { entries, isEnded }: SessionWindow,
  { token, nowMs }: { readonly token: string; readonly nowMs: number },
): string {
  const longestMs = Math.max(1, ...entries.map(({ reference }) => reference.fragment.durationMs));
  const isStatic = session.mode === 'on-demand';
  const first = entries[0]?.positionMs ?? 0;
  const last = entries.at(-1);
  const endMs = last === undefined ? 0 : last.positionMs + last.reference.fragment.durationMs;
  const common = `profiles="urn:mpeg:dash:profile:isoff-live:2011" minBufferTime="${seconds(longestMs)}"`;
  const kind = isStatic
    ? `type="static" mediaPresentationDuration="${seconds(endMs - first)}"`
    : [
        'type="dynamic"',
        `availabilityStartTime="${iso(availabilityMs(session, last, { endMs, longestMs, nowMs }))}"`,
        `publishTime="${iso(nowMs)}"`,
        // What is over is not asked for again, and keeps the times that the player knows.
        isEnded
          ? `mediaPresentationDuration="${seconds(endMs)}"`
          : `minimumUpdatePeriod="${seconds(Math.max(1_000, Math.min(longestMs, 5_000)))}"`,
        `timeShiftBufferDepth="${seconds(endMs - first)}"`,
        `suggestedPresentationDelay="${seconds(Math.min(delayFragments * longestMs, endMs - first))}"`,
      ].join(' ');
  const time = `<UTCTiming schemeIdUri="urn:mpeg:dash:utc:direct:2014" value="${iso(nowMs)}"/>`;
  return `${[
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<MPD ${namespaces} ${common} maxSegmentDuration="${seconds(longestMs)}" ${kind}>`,
    '<Period id="0" start="PT0S">',
    // What retention took from the beginning is no part of a recording any more.
    ...sets(session, entries, { token, beginMs: dashBaseMs + (isStatic ? first : 0) }),
    '</Period>',
    ...(isStatic ? [] : [time]),
    '</MPD>',
  ].join('\n')}\n`;
}

/**
 * The time at which position 0 was live. Media follow each other whatever passed between them, so it moves on with every break, and
 * while nothing comes: what a player takes for the live end stays where the media end.
 */
function availabilityMs(
  { mode, startedMs, leadMs }: PlaybackSession,
  last: SessionEntry | undefined,
  { endMs, longestMs, nowMs }: { readonly endMs: number; readonly longestMs: number; readonly nowMs: number },
): number {
  const passedMs = mode === 'live' ? (last?.passedMs ?? 0) : (last?.revealMs ?? startedMs) - startedMs;
  const brokenMs = Math.floor((passedMs - (last?.positionMs ?? 0)) / 1_000) * 1_000;
  return Math.max(startedMs - leadMs + Math.max(0, brokenMs), nowMs - endMs - 2 * longestMs);
}

function sets(
  session: PlaybackSession,
  entries: readonly SessionEntry[],
  { token, beginMs }: { readonly token: string; readonly beginMs: number },
): string[] {
  const [first] = entries;
  if (first === undefined) return [];
  const timeline = ['<SegmentTimeline>', ...entries.map((entry) => timelineRow(session, entry)), '</SegmentTimeline>'];
  const set = (track: number, kind: 'video' | 'audio', attributes: string) => {
    const uri = (file: string, query: string) =>
      `${file}?${query}&amp;SessionToken=${token}&amp;TrackNumber=${track}`.replace('?&amp;', '?');
    return [
      `<AdaptationSet id="${track}" contentType="${kind}" mimeType="${kind}/mp4" segmentAlignment="true" startWithSAP="1">`,
      `<SegmentTemplate timescale="1000" presentationTimeOffset="${beginMs}" startNumber="${first.mediaSequence}"` +
        ` initialization="${uri('getMP4InitFragment.mp4', '')}"` +
        ` media="${uri('getMP4MediaFragment.mp4', 'FragmentNumber=$Number$')}">`,
      ...timeline,
      '</SegmentTemplate>',
      `<Representation id="${kind}" ${attributes}/>`,
      '</AdaptationSet>',
    ];
  };
  const { video, audio } = first.tracks;
  const rate = (tracks: readonly ('video' | 'audio')[]) => bandwidth(entries, tracks);
  return [
    ...(video === undefined
      ? []
      : set(
          leadingTrack,
          'video',
          `codecs="${video.codecString}" width="${video.video?.widthPixels}" height="${video.video?.heightPixels}" ` +
            `frameRate="${frameRate(entries)}" bandwidth="${rate(['video'])}"`,
        )),
    ...(audio === undefined
      ? []
      : set(
          video === undefined ? leadingTrack : soundTrack,
          'audio',
          `codecs="${playedCodecString(audio)}" audioSamplingRate="${audio.audio?.samplingFrequencyHz}" bandwidth="${rate(['audio'])}"`,
        )),
  ];
}

function timelineRow({ showsTimestamps, showsNumbers }: PlaybackSession, entry: SessionEntry): string {
  const { fragment } = entry.reference;
  const time = showsTimestamps ? ` kvs:ts="${(entry.axisMs / 1000).toFixed(3)}"` : '';
  const number = showsNumbers ? ` kvs:fn="${fragment.number}"` : '';
  return `<S t="${Math.round(entry.positionMs) + dashBaseMs}" d="${Math.max(1, Math.round(fragment.durationMs))}"${time}${number}/>`;
}

function bandwidth(entries: readonly SessionEntry[], kinds: readonly ('video' | 'audio')[]): number {
  const references = entries.map(({ reference, tracks }) => {
    const played = kinds.map((kind) => tracks[kind]).filter((track) => track !== undefined);
    return { fragment: reference.fragment, segment: { ...reference.segment, tracks: played } };
  });
  return Math.max(1, renditionsOf(references).variants[0]?.bandwidthMax ?? 1);
}

/** Pictures a second: a whole number, as the attribute wants it. */
function frameRate(entries: readonly SessionEntry[]): number {
  let pictures = 0;
  let durationMs = 0;
  for (const { reference, tracks } of entries) {
    pictures += reference.fragment.tracks.find(({ trackNumber }) => trackNumber === tracks.video?.number)?.samples ?? 0;
    durationMs += reference.fragment.durationMs;
  }
  return Math.max(1, Math.round((pictures * 1000) / Math.max(1, durationMs)));
}

function seconds(durationMs: number): string {
  return `PT${(durationMs / 1000).toFixed(3)}S`;
}

function iso(timeMs: number): string {
  return new Date(Math.round(timeMs)).toISOString();
}
