/** A live stream that the test plays: units on lanes, fragments when it says so, as the recorder tells them. */

import type { FragmentSource, PlayableFragment, TimeRange } from '../../../gateway/playback/index.ts';
import { appError } from '../../../storage/base/errors.ts';
import type { LaneEvent } from '../../../storage/lane/index.ts';
import {
  aacTrack,
  clusterHead,
  h264Parameters,
  joinNals,
  simpleBlockHeadBytesMax,
  videoTrack,
  writeSimpleBlockHead,
} from '../../../storage/media/index.ts';
import { fragmentEndMs } from '../../../storage/model/fragment.ts';
import { fragmentNumber } from '../../../storage/model/fragment-number.ts';
import type { Track } from '../../../storage/model/track.ts';
import { pps, slice, sps } from '../rtsp/packets.ts';

export const liveStreamId = 'live-stream';
export const liveTracks: readonly Track[] = [
  videoTrack(1, h264Parameters(sps, [pps])),
  aacTrack(2, Uint8Array.of(0x11, 0x90)),
];

export type LiveUnit = {
  readonly trackNumber: number;
  readonly mediaMs: number;
  readonly isKey: boolean;
  readonly bytes: Uint8Array;
};

/** A picture of H.264; its bytes tell it from others. */
export function picture(mediaMs: number, isKey = false): LiveUnit {
  const bytes = joinNals([slice({ isKey }), Uint8Array.of(6, mediaMs & 0x7f, (mediaMs >> 7) & 0x7f, 0x80)]);
  return { trackNumber: 1, mediaMs, isKey, bytes };
}

/** A frame of AAC, 1,024 samples at 48 kHz. */
export function sound(mediaMs: number): LiveUnit {
  return { trackNumber: 2, mediaMs, isKey: true, bytes: Uint8Array.of(0x21, mediaMs & 0xff, mediaMs >> 8) };
}

/** Pictures at 25 a second with a key frame every two, and sound, in the order in which a camera sends them. */
export function unitsBetween(beginMs: number, endMs: number): LiveUnit[] {
  const units: LiveUnit[] = [];
  for (let ms = Math.ceil(beginMs / 40) * 40; ms < endMs; ms += 40) units.push(picture(ms, ms % 2_000 === 0));
  const frameMs = 1_024 / 48;
  for (let at = Math.ceil(beginMs / frameMs); Math.round(at * frameMs) < endMs; at++)
    units.push(sound(Math.round(at * frameMs)));
  return units.sort((a, b) => a.mediaMs - b.mediaMs || a.trackNumber - b.trackNumber);
}

type Lane = { readonly events: LaneEvent[]; wake: () => void };

export class LiveStream implements FragmentSource {
  readonly fragments: PlayableFragment[] = [];
  /** Lanes that are open, and how many ever were. */
  readonly lanes = new Set<Lane>();
  lanesOpened = 0;
  /** Lanes are refused as long as it is away. */
  isOwnerAway = false;
  readonly #clusters = new Map<string, Uint8Array>();
  readonly #callbacks = new Set<() => void>();
  #tracks: readonly Track[];
  readonly #beginMs: number;
  #open: LiveUnit[] = [];
  #runs = 0;
  #runStartMs: number;
  #runBase = 0;

  constructor(beginMs: number, tracks = liveTracks) {
    this.#beginMs = beginMs;
    this.#runStartMs = beginMs;
    this.#tracks = tracks;
  }

  /** Units arrive; they are of the open fragment. */
  units(units: readonly LiveUnit[]): void {
    for (const unit of units) {
      this.#open.push(unit);
      const { trackNumber, mediaMs, isKey, bytes } = unit;
      const facts = {
        producerTimestampMs: undefined,
        isAfterLoss: false,
        serverTimestampMs: this.#runStartMs + mediaMs,
      };
      this.#toLanes({
        kind: 'unit',
        unit: { trackNumber, presentationTimeUs: (mediaMs + this.#runBase) * 1000, isKey, bytes, ...facts },
      });
    }
  }

  /** The open fragment is committed: what of it came before a media time. */
  commit(endMs: number): PlayableFragment {
    const own = this.#open.filter(({ mediaMs }) => mediaMs < endMs);
    this.#open = this.#open.filter(({ mediaMs }) => mediaMs >= endMs);
    const mediaTimeMs = own.find(({ trackNumber }) => trackNumber === this.#tracks[0]?.number)?.mediaMs ?? 0;
    const serverTimestampMs = this.#runStartMs + mediaTimeMs;
    const fragment = {
      number: fragmentNumber(this.fragments.length + 1, serverTimestampMs, 1),
      ...{ offset: 0, byteLength: 1_000, serverTimestampMs, producerTimestampMs: serverTimestampMs },
      ...{ mediaTimeMs, durationMs: endMs - mediaTimeMs, hasLoss: false, sha256: new Uint8Array(32) },
      isKey: own[0]?.isKey ?? false,
      tracks: this.#tracks.map((track) => {
        const units = own.filter(({ trackNumber }) => trackNumber === track.number);
        const payloadBytes = units.reduce((sum, { bytes }) => sum + bytes.length, 0);
        const beginMediaMs = Math.min(...units.map(({ mediaMs }) => mediaMs));
        return { trackNumber: track.number, samples: units.length, payloadBytes, beginMediaMs, endMediaMs: endMs };
      }),
    };
    const segment = {
      ...{ streamId: liveStreamId, runId: `run-${this.#runs}`, runReason: 'connecting', timecodeScaleNs: 1_000_000 },
      ...{ runStartServerMs: this.#runStartMs, tracks: this.#tracks },
    };
    this.#clusters.set(fragment.number, clusterOf(mediaTimeMs, own));
    const reference = { fragment, segment };
    this.fragments.push(reference);
    for (const callback of [...this.#callbacks]) callback();
    return reference;
  }

  /** The camera connects anew, so many milliseconds after the stream's beginning. */
  newRun(atMs: number, tracks = this.#tracks): void {
    this.#toLanes({ kind: 'ended', reason: 'source-closed' });
    this.#tracks = tracks;
    this.#open = [];
    this.#runs++;
    this.#runStartMs = this.#beginMs + atMs;
    this.#runBase = 777_000 * this.#runs;
    this.#toLanes({ kind: 'session', tracks: this.#tracks });
  }

  /** The lanes lose what is on them. */
  drop(units: readonly LiveUnit[]): void {
    this.#open.push(...units);
    this.#toLanes({ kind: 'dropped', units: units.length });
  }

  breakLanes(): void {
    this.#toLanes({ kind: 'ended', reason: 'connection-lost' });
  }

  /** What `LaneClient.subscribe` is. */
  async *subscribe(_: string, { signal }: { readonly signal?: AbortSignal }): AsyncGenerator<LaneEvent> {
    const lane: Lane = { events: [], wake: () => {} };
    this.lanesOpened++;
    this.lanes.add(lane);
    const leave = () => {
      this.lanes.delete(lane);
      lane.wake();
    };
    signal?.addEventListener('abort', leave, { once: true });
    if (!this.isOwnerAway) lane.events.push({ kind: 'joined', tracks: this.#tracks, from: this.#from() });
    try {
      while (signal?.aborted !== true) {
        const event = lane.events.shift();
        if (event !== undefined) yield event;
        else {
          await new Promise<void>((resolve) => {
            lane.wake = resolve;
          });
        }
      }
    } finally {
      leave();
    }
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
    const cluster = this.#clusters.get(fragment.number);
    if (cluster === undefined) throw appError('not_found', 'no such fragment');
    return cluster;
  }

  onNew(_: string, callback: () => void): () => void {
    this.#callbacks.add(callback);
    return () => this.#callbacks.delete(callback);
  }

  #from(): Extract<LaneEvent, { kind: 'joined' }>['from'] {
    const [first] = this.#open;
    if (first === undefined) return undefined;
    return {
      ...{ path: '/nowhere', clusterOffset: 0, joinOffset: 0, tail: clusterOf(first.mediaMs, this.#open) },
      ...{ serverTimestampMs: this.#runStartMs + first.mediaMs, runId: `run-${this.#runs}` },
      sessionOffsetUs: this.#runBase * 1000,
    };
  }

  #toLanes(event: LaneEvent): void {
    if (this.isOwnerAway) return;
    for (const lane of this.lanes) {
      lane.events.push(event);
      lane.wake();
    }
  }
}

export function clusterOf(mediaTimeMs: number, units: readonly LiveUnit[]): Uint8Array {
  const parts = units.flatMap(({ trackNumber, mediaMs, isKey, bytes }) => {
    const head = new Uint8Array(simpleBlockHeadBytesMax);
    const block = { trackNumber, relativeMs: mediaMs - mediaTimeMs, payloadBytes: bytes.length, isKey };
    return [head.subarray(0, writeSimpleBlockHead(head, 0, block)), bytes];
  });
  return new Uint8Array(Buffer.concat([clusterHead(mediaTimeMs), ...parts]));
}
