/**
 * A recorded stream in memory, of real coded media: ffmpeg encodes, and the result is cut into fragments at key frames as our
 * recorder cuts them. Runs and gaps are laid out by the test. It is a `FragmentSource` to which fragments can be added.
 */

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { FragmentSource, PlayableFragment, TimeRange } from '../../../gateway/playback/index.ts';
import { must } from '../../../storage/base/assert.ts';
import { appError } from '../../../storage/base/errors.ts';
import {
  clusterHead,
  ElementCursor,
  ebmlIds,
  readCluster,
  readMatroskaHead,
  simpleBlockHeadBytesMax,
  writeSimpleBlockHead,
} from '../../../storage/media/index.ts';
import type { Fragment, FragmentTrack } from '../../../storage/model/fragment.ts';
import { fragmentEndMs } from '../../../storage/model/fragment.ts';
import { fragmentNumber } from '../../../storage/model/fragment-number.ts';
import type { Track } from '../../../storage/model/track.ts';
import { temporaryDirectory } from '../../kit/temp.ts';

/** One coded frame of a clip, in decode order. */
export type ClipFrame = { trackNumber: number; timeMs: number; isKey: boolean; bytes: Uint8Array };

/** Coded media with a timeline that begins at 0 with a video key frame. */
export type CodedClip = { tracks: readonly Track[]; frames: readonly ClipFrame[] };

/** Encodes with ffmpeg (`-i` and codec arguments) and reads the Matroska file that comes out. */
export async function encodeClip(ffmpegArguments: readonly string[]): Promise<CodedClip> {
  const path = join(await temporaryDirectory(), 'clip.mkv');
  await promisify(execFile)('ffmpeg', ['-v', 'error', '-y', ...ffmpegArguments, path]);
  const bytes = new Uint8Array(await readFile(path));
  const head = readMatroskaHead(bytes);
  const frames: ClipFrame[] = [];
  const cursor = new ElementCursor(bytes, head.byteLength);
  while (cursor.next()) {
    if (cursor.id !== ebmlIds.cluster) continue;
    const cluster = bytes.subarray(cursor.begin, cursor.end);
    const { timecode, blocks } = readCluster(cluster);
    for (const { trackNumber, relative, isKey, begin, end } of blocks) {
      frames.push({ trackNumber, timeMs: timecode + relative, isKey, bytes: cluster.subarray(begin, end) });
    }
  }
  const paceNumber = (head.tracks.find(({ kind }) => kind === 'video') ?? must(head.tracks[0], 'has a track')).number;
  const beginMs = must(
    frames.find((frame) => frame.trackNumber === paceNumber && frame.isKey),
    'clip has a key frame',
  ).timeMs;
  const fromBegin = frames.map((frame) => ({ ...frame, timeMs: frame.timeMs - beginMs }));
  return {
    tracks: head.tracks,
    frames: fromBegin.filter((frame) => frame.trackNumber === paceNumber || frame.timeMs >= 0),
  };
}

export const streamId = 'stream-0001';

/** 2026-01-01, 12:00 UTC. */
export const beginMs = Date.UTC(2026, 0, 1, 12);

export class RecordedStream implements FragmentSource {
  readonly streamId: string;
  readonly fragments: PlayableFragment[] = [];
  readonly #clusters = new Map<string, Uint8Array>();
  readonly #watchers = new Set<() => void>();
  clusterReads = 0;
  #counter = 0;
  #runs = 0;

  constructor(id = streamId) {
    this.streamId = id;
  }

  /** Adds a run that begins at a server time; returns its fragments. `counterJump` is what a restarted recorder leaves out. */
  addRun(
    clip: CodedClip,
    options: {
      atMs: number;
      counterJump?: number;
      audioFragmentMs?: number;
      tracks?: readonly Track[];
      /** How much later than the producer's time ours is. */
      wayMs?: number;
    },
  ): PlayableFragment[] {
    this.#counter += options.counterJump ?? 0;
    const runId = (++this.#runs).toString(16).padStart(32, '0');
    const tracks = options.tracks ?? clip.tracks;
    const segment = {
      streamId: this.streamId,
      runId,
      runReason: 'connecting',
      runStartServerMs: options.atMs,
      timecodeScaleNs: 1_000_000,
      tracks,
    };
    const groups = cutClip({ ...clip, tracks }, options.audioFragmentMs ?? 2_000);
    const added = groups.map((frames, at) => {
      const mediaTimeMs = beginOf(frames, tracks);
      const next = groups[at + 1];
      const endMediaMs = next === undefined ? endOf(clip, tracks) : beginOf(next, tracks);
      const cluster = clusterOf(mediaTimeMs, frames);
      const serverTimestampMs = options.atMs + mediaTimeMs;
      const number = fragmentNumber(++this.#counter, serverTimestampMs, 7);
      const fragment: Fragment = {
        number,
        offset: 0,
        byteLength: cluster.length,
        serverTimestampMs,
        producerTimestampMs: serverTimestampMs - (options.wayMs ?? 5),
        mediaTimeMs,
        durationMs: endMediaMs - mediaTimeMs,
        isKey: frames.some((frame) => frame.isKey),
        hasLoss: false,
        tracks: tracks.map((track) => fragmentTrack(track, frames, endMediaMs)),
        sha256: createHash('sha256').update(cluster).digest(),
      };
      this.#clusters.set(number, cluster);
      return { fragment, segment };
    });
    this.fragments.push(...added);
    for (const watcher of this.#watchers) watcher();
    return added;
  }

  /** Takes fragments away as retention does. */
  removeBefore(timeMs: number): void {
    const kept = this.fragments.filter(({ fragment }) => fragmentEndMs(fragment) > timeMs);
    this.fragments.splice(0, this.fragments.length, ...kept);
  }

  /** Another view that shows the first fragments only, `count` of them: a stream as it was earlier. */
  head(count: number): RecordedStream {
    const view = new RecordedStream(this.streamId);
    view.fragments.push(...this.fragments.slice(0, count));
    for (const [number, cluster] of this.#clusters) view.#clusters.set(number, cluster);
    return view;
  }

  /** Shows one more fragment, of another stream's view of the same clusters. */
  show(reference: PlayableFragment): void {
    this.fragments.push(reference);
    for (const watcher of this.#watchers) watcher();
  }

  damage(reference: PlayableFragment): void {
    this.#clusters.set(reference.fragment.number, new Uint8Array(reference.fragment.byteLength).fill(0x55));
  }

  async fragmentsBetween(_: string, range: TimeRange & { limit?: number }): Promise<readonly PlayableFragment[]> {
    return this.fragments
      .filter(({ fragment }) => fragment.serverTimestampMs < range.endMs && fragmentEndMs(fragment) > range.beginMs)
      .slice(0, range.limit);
  }

  async latest(): Promise<PlayableFragment | undefined> {
    return this.fragments.at(-1);
  }

  async clusterBytes({ fragment }: PlayableFragment): Promise<Uint8Array> {
    this.clusterReads++;
    const cluster = this.#clusters.get(fragment.number);
    if (cluster === undefined) throw appError('not_found', 'no such fragment');
    return cluster;
  }

  onNew(_: string, callback: () => void): () => void {
    this.#watchers.add(callback);
    return () => this.#watchers.delete(callback);
  }
}

/** The main and the sub stream of a camera as one source. */
export function bothStreams(main: RecordedStream, sub: RecordedStream): FragmentSource {
  const of = (id: string) => (id === sub.streamId ? sub : main);
  return {
    fragmentsBetween: (id, range) => of(id).fragmentsBetween(id, range),
    latest: (id) => of(id).latest(),
    clusterBytes: (reference) => of(reference.segment.streamId).clusterBytes(reference),
    onNew: (id, callback) => of(id).onNew(id, callback),
  };
}

/** Frames by fragment: cut at video key frames, or by time where there is no video. */
function cutClip(clip: CodedClip, audioFragmentMs: number): ClipFrame[][] {
  const video = clip.tracks.find(({ kind }) => kind === 'video');
  const known = new Set(clip.tracks.map(({ number }) => number));
  const frames = clip.frames.filter(({ trackNumber }) => known.has(trackNumber));
  const cuts = frames
    .filter((frame) => (video === undefined ? false : frame.trackNumber === video.number && frame.isKey))
    .map(({ timeMs }) => timeMs);
  if (video === undefined) {
    const endMs = Math.max(...frames.map(({ timeMs }) => timeMs));
    for (let cutMs = 0; cutMs <= endMs; cutMs += audioFragmentMs) cuts.push(cutMs);
  }
  const groups: ClipFrame[][] = cuts.map(() => []);
  let videoGroup = -1;
  for (const frame of frames) {
    // Leading pictures are shown before their key frame and belong to its fragment all the same.
    if (frame.trackNumber === video?.number) {
      if (frame.isKey) videoGroup++;
      groups[videoGroup]?.push(frame);
    } else groups[cuts.findLastIndex((cutMs) => cutMs <= frame.timeMs)]?.push(frame);
  }
  return groups.filter((group) => group.length > 0);
}

function beginOf(frames: readonly ClipFrame[], tracks: readonly Track[]): number {
  const pace = (tracks.find(({ kind }) => kind === 'video') ?? tracks[0])?.number;
  return must(
    frames.find(({ trackNumber }) => trackNumber === pace),
    'fragment has a pacing frame',
  ).timeMs;
}

function endOf(clip: CodedClip, tracks: readonly Track[]): number {
  const pace = (tracks.find(({ kind }) => kind === 'video') ?? tracks[0])?.number;
  const times = clip.frames.filter(({ trackNumber }) => trackNumber === pace).map(({ timeMs }) => timeMs);
  times.sort((a, b) => a - b);
  const last = times.at(-1) ?? 0;
  return last + (last - (times.at(-2) ?? last - 40));
}

function clusterOf(mediaTimeMs: number, frames: readonly ClipFrame[]): Uint8Array {
  const parts = frames.flatMap(({ trackNumber, timeMs, isKey, bytes }) => {
    const head = new Uint8Array(simpleBlockHeadBytesMax);
    const length = writeSimpleBlockHead(head, 0, {
      trackNumber,
      relativeMs: timeMs - mediaTimeMs,
      payloadBytes: bytes.length,
      isKey,
    });
    return [head.subarray(0, length), bytes];
  });
  return new Uint8Array(Buffer.concat([clusterHead(mediaTimeMs), ...parts]));
}

function fragmentTrack(track: Track, frames: readonly ClipFrame[], endMediaMs: number): FragmentTrack {
  const own = frames.filter(({ trackNumber }) => trackNumber === track.number);
  return {
    trackNumber: track.number,
    samples: own.length,
    payloadBytes: own.reduce((sum, { bytes }) => sum + bytes.length, 0),
    beginMediaMs: own.reduce((ms, { timeMs }) => Math.min(ms, timeMs), own[0]?.timeMs ?? endMediaMs),
    endMediaMs,
  };
}
