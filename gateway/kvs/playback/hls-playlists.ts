/** Playlists of HLS sessions as text, laid out as AWS lays them out: tools scrape them. Pure. */

import { type PlayableFragment, renditionsOf, silenceFormatOf } from '../../playback/index.ts';
import type { PlaybackSession } from './session.ts';
import type { SessionEntry } from './session-entry.ts';
import type { SessionWindow } from './session-walks.ts';

/** Tracks are numbered as players ask for them: the pictures, or sound alone, are 1; sound beside pictures is 2. */
export const leadingTrack = 1;
export const soundTrack = 2;

/** @param entries  at least one */
export function hlsMasterText(session: PlaybackSession, entries: readonly SessionEntry[], token: string): string {
  const sounded = entries[0]?.sound !== undefined;
  const [variant] = renditionsOf(entries.map((entry) => playedOnly(entry, { hasSound: sounded }))).variants;
  const playlist = (track: number) => `getHLSMediaPlaylist.m3u8?SessionToken=${token}&TrackNumber=${track}`;
  const hasVideo = entries[0]?.tracks.video !== undefined;
  const hasSound = hasVideo && session.container === 'fmp4' && sounded;
  const attributes = [`CODECS="${variant?.codecs.join(',')}"`];
  if (hasVideo) {
    attributes.push(`RESOLUTION=${variant?.widthPixels}x${variant?.heightPixels}`);
    attributes.push(`FRAME-RATE=${variant?.framesPerSecond.toFixed(2)}`);
  }
  attributes.push(`BANDWIDTH=${variant?.bandwidthMax}`);
  if (hasSound) attributes.push('AUDIO="audio"');
  const sound =
    `#EXT-X-MEDIA:AUTOSELECT=YES,FORCED=NO,TYPE=AUDIO,URI="${playlist(soundTrack)}",` +
    'GROUP-ID="audio",DEFAULT=NO,NAME="audio"';
  return lines([
    '#EXTM3U',
    '#EXT-X-VERSION:1',
    ...(hasSound ? [sound] : []),
    `#EXT-X-STREAM-INF:${attributes.join(',')}`,
    playlist(leadingTrack),
  ]);
}

/** @param window.entries  at least one */
export function hlsMediaText(
  session: PlaybackSession,
  { entries, isEnded }: SessionWindow,
  { token, track }: { readonly token: string; readonly track: number },
): string {
  const { mode, container, showsTimestamps } = session;
  const isSound = track === soundTrack;
  const longestMs = entries.reduce((ms, { reference }) => Math.max(ms, reference.fragment.durationMs), 0);
  const isIndependent =
    isSound || entries.every(({ reference, tracks }) => tracks.video === undefined || reference.fragment.isKey);
  const marksBefore = entries[0]?.marksBefore ?? 0;
  const text = [
    '#EXTM3U',
    `#EXT-X-VERSION:${container === 'ts' ? 3 : 7}`,
    ...(mode === 'on-demand' ? ['#EXT-X-PLAYLIST-TYPE:VOD'] : []),
    `#EXT-X-TARGETDURATION:${Math.max(1, Math.round(longestMs / 1000))}`,
    `#EXT-X-MEDIA-SEQUENCE:${entries[0]?.mediaSequence ?? 0}`,
    ...(marksBefore > 0 ? [`#EXT-X-DISCONTINUITY-SEQUENCE:${marksBefore}`] : []),
    ...(isIndependent ? ['#EXT-X-INDEPENDENT-SEGMENTS'] : []),
  ];
  let shownSetUp: number | undefined;
  for (const entry of entries) {
    const { fragment } = entry.reference;
    if (entry.isMarked) text.push('#EXT-X-DISCONTINUITY');
    const setUp = isSound ? (entry.sound?.setUp ?? entry.setUp) : entry.setUp;
    if (container === 'fmp4' && setUp !== shownSetUp) {
      const query = `SessionToken=${token}&TrackNumber=${track}&SequenceNumber=${setUp}`;
      text.push(`#EXT-X-MAP:URI="getMP4InitFragment.mp4?${query}"`);
      shownSetUp = setUp;
    }
    if (showsTimestamps) text.push(`#EXT-X-PROGRAM-DATE-TIME:${new Date(Math.round(entry.axisMs)).toISOString()}`);
    if (isSound && isMute(entry)) text.push('#EXT-X-GAP');
    text.push(`#EXTINF:${(fragment.durationMs / 1000).toFixed(3)},`, fragmentUri(session, entry, { token, track }));
  }
  if (isEnded) text.push('#EXT-X-ENDLIST');
  return lines(text);
}

/** The form of silence that stands in for an entry's own sound; undefined where it has sound, or the session has none. */
export function silenceOf({ tracks, sound }: Pick<SessionEntry, 'tracks' | 'sound'>): string | undefined {
  return tracks.audio !== undefined || sound === undefined ? undefined : silenceFormatOf(sound.track);
}

/** Sound is missing, and nobody can write silence in its form. */
function isMute(entry: SessionEntry): boolean {
  return entry.tracks.audio === undefined && silenceOf(entry) === undefined;
}

function fragmentUri(
  { container, discontinuity }: PlaybackSession,
  entry: SessionEntry,
  { token, track }: { readonly token: string; readonly track: number },
): string {
  const { number } = entry.reference.fragment;
  const silence = container === 'ts' || track === soundTrack ? silenceOf(entry) : undefined;
  // Without a mark nothing may break: players would wait for what was never recorded.
  const skippedMs = discontinuity === 'never' ? entry.skippedMs : 0;
  const suffix =
    (silence === undefined ? '' : `&Silence=${silence}`) + (skippedMs === 0 ? '' : `&Skipped=${skippedMs}`);
  return container === 'ts'
    ? `getTSFragment.ts?FragmentNumber=${number}&SessionToken=${token}${suffix}`
    : `getMP4MediaFragment.mp4?FragmentNumber=${number}&SessionToken=${token}&TrackNumber=${track}${suffix}`;
}

/** What is played alone counts for codecs and rates. */
function playedOnly(
  { reference, tracks }: SessionEntry,
  { hasSound }: { readonly hasSound: boolean },
): PlayableFragment {
  const played = [tracks.video, hasSound ? tracks.audio : undefined].filter((track) => track !== undefined);
  return { fragment: reference.fragment, segment: { ...reference.segment, tracks: played } };
}

function lines(text: readonly string[]): string {
  return `${text.join('\n')}\n`;
}
