/**
 * The door of conversion: HLS and clips of streams in H.265, played as H.264 by those who can't decode it.
 *
 *   master.m3u8?video=h264 -> a place in the budget -> the same playlists, with `convert` in their URIs -> child -> cache -> player
 *
 * Nobody is turned away silently, and nothing is converted that nobody asked for.
 */

import { must } from '../../../storage/base/assert.ts';
import type { Clock } from '../../../storage/base/clock.ts';
import { appError } from '../../../storage/base/errors.ts';
import type { Log } from '../../../storage/base/log.ts';
import { fragmentNumberParts, parseFragmentNumber } from '../../../storage/model/fragment-number.ts';
import { limits } from '../../../storage/model/limits.ts';
import { type Clip, type ClipOptions, Clips } from '../clip/clips.ts';
import type { FragmentSource } from '../fragment-source.ts';
import { Hls, type HlsAnswer, type HlsRequest } from '../hls/hls.ts';
import { type HlsRange, type Query, rangeOfQuery } from '../hls/session.ts';
import {
  ConversionBudget,
  type ConversionKind,
  type ConversionUse,
  type RunningConversion,
} from './conversion-budget.ts';
import { Converter, type ConverterFigures } from './converter.ts';
import { ConvertingSource, convertedTrack } from './converting-source.ts';
import type { Encoder } from './encoders.ts';
import { Turns } from './turns.ts';

export type ConversionsDependencies = {
  readonly clock: Clock;
  readonly log: Log;
  readonly source: FragmentSource;
  /** Path of the ffmpeg program. */
  readonly ffmpeg: string;
};

export type ConversionsOptions = {
  /** How many streams are converted at once; 0 turns conversion off. */
  readonly conversionsMax: number;
  /** Processors of the machine. */
  readonly cores: number;
};

export type ConversionsFigures = ConverterFigures & {
  readonly running: readonly RunningConversion[];
  readonly conversionsMax: number;
  /** Viewers that were turned away. */
  readonly turnedAway: number;
};

type PlayedKind = Exclude<ConversionKind, 'clip' | 'webrtc'>;

/** Two players of one stream at one place share what the cache holds; the kinds have one each. */
const kinds: readonly PlayedKind[] = ['live', 'recorded'];

export class Conversions {
  readonly #source: FragmentSource;
  readonly #dependencies: ConversionsDependencies;
  readonly #budget: ConversionBudget;
  readonly #converter: Converter;
  readonly #turns = new Turns({ waitingMax: limits.conversionWaitingMax });
  readonly #hls: ReadonlyMap<PlayedKind, Hls>;
  #clips = 0;

  constructor(dependencies: ConversionsDependencies, { conversionsMax, cores }: ConversionsOptions) {
    const { clock, source } = dependencies;
    this.#dependencies = dependencies;
    this.#source = source;
    this.#budget = new ConversionBudget({ clock }, { conversionsMax, idleMs: limits.conversionIdleMs });
    this.#converter = new Converter(dependencies, { cores });
    this.#hls = new Map(
      kinds.map((kind) => [
        kind,
        new Hls({ clock, source: this.#sourceFor({ kind }) }, { cacheBytesMax: limits.conversionCacheBytes }),
      ]),
    );
  }

  /** True for a request that asks for converted video, by `video=h264` of a master playlist or by what that gave out. */
  static isAsked({ file, query }: { readonly file: string; readonly query: Query }): boolean {
    return query.convert !== undefined || (file === 'master.m3u8' && query.video === 'h264');
  }

  /**
   * Answers a request for HLS in H.264. A stream that has no H.265 is played as it is and takes no place.
   *
   * @param request.query  `player` tells several players of one viewer apart, so that each holds one place only
   * @param viewer         whom to name to those who are turned away
   * @throws AppError resource_exhausted   too many streams are converted already
   * @throws AppError failed_precondition  this machine cannot convert
   * @throws AppError                      as `Hls.get`
   */
  async get(request: HlsRequest, viewer: string): Promise<HlsAnswer> {
    const { streamId, file } = request;
    const isMaster = file === 'master.m3u8';
    const { convert, player, ...own } = request.query;
    const { video, ...withoutVideo } = own;
    const kind = isMaster ? rangeOfQuery(own).kind : parseKind(convert);
    const hls = must(this.#hls.get(kind), 'every kind has its playlists');
    const use = { streamId, kind, viewer, player: parsePlayer(player) };
    const play = async () =>
      hls.get({
        ...request,
        query: isMaster ? withoutVideo : own,
        carried: { ...request.carried, convert: kind, player },
        sub: await this.#subBeside(request),
      });
    // Playlists and sound keep a place; only video that has to be converted takes one.
    if (!isMaster) {
      if (!this.#budget.touch(use) && (await this.#isFileConverted(streamId, file))) this.#budget.enter(use);
      // Not for ever: what is black for once can be converted later, perhaps by a better encoder.
      return { ...(await play()), isImmutable: false };
    }
    const answer = await play();
    if (await this.#isConverted(streamId, rangeOfQuery(own))) this.#budget.enter(use);
    return answer;
  }

  /**
   * A clip with its video in H.264, to be read from beginning to end by `stream`. It takes a place until it is left.
   *
   * @throws AppError  as `get` and `Clips.open`
   */
  async openClip(
    streamId: string,
    options: ClipOptions,
    viewer: string,
  ): Promise<{ readonly durationMs: number; stream(): AsyncGenerator<Uint8Array, void, void> }> {
    const use: ConversionUse = { streamId, kind: 'clip', viewer: `${viewer}, download ${++this.#clips}` };
    const clips = new Clips({ source: this.#sourceFor(use), log: this.#dependencies.log });
    const clip = await clips.open(streamId, options);
    if (await this.#isConverted(streamId, { kind: 'recorded', ...options })) this.#budget.enter(use);
    return { durationMs: clip.durationMs, stream: () => this.#untilLeft(use, clip) };
  }

  /**
   * Takes part in a conversion that runs on while it is watched, by WebRTC; to be called again every few seconds.
   *
   * @throws AppError resource_exhausted  too many streams are converted already
   */
  enterRunning(streamId: string, viewers: readonly string[]): void {
    for (const viewer of viewers) this.#budget.enter({ streamId, kind: 'webrtc', viewer });
  }

  leaveRunning(streamId: string, viewers: readonly string[]): void {
    for (const viewer of viewers) this.#budget.leave({ streamId, kind: 'webrtc', viewer });
  }

  /** The encoder that works on this machine. @throws AppError failed_precondition  there is none */
  encoder(): Promise<Encoder> {
    return this.#converter.encoder();
  }

  figures(): ConversionsFigures {
    return {
      ...this.#converter.figures(),
      running: this.#budget.running(),
      conversionsMax: this.#budget.conversionsMax,
      turnedAway: this.#budget.refused,
    };
  }

  close(): Promise<void> {
    return this.#converter.close();
  }

  /** The stored stream as H.264, one fragment at a time for each conversion. */
  #sourceFor(use: Pick<ConversionUse, 'kind'> & { readonly viewer?: string }): ConvertingSource {
    const { kind, viewer } = use;
    return new ConvertingSource({
      source: this.#source,
      converter: this.#converter,
      turn: (streamId, work) => {
        this.#budget.require({ streamId, kind, ...(viewer === undefined ? {} : { viewer }) });
        return this.#turns.take(`${streamId} ${kind} ${viewer ?? ''}`, work);
      },
    });
  }

  async *#untilLeft(use: ConversionUse, clip: Clip): AsyncGenerator<Uint8Array, void, void> {
    try {
      yield* clip.stream();
    } finally {
      this.#budget.leave(use);
    }
  }

  async #isConverted(streamId: string, range: HlsRange): Promise<boolean> {
    if (range.kind === 'live') {
      const newest = await this.#source.latest(streamId);
      return newest !== undefined && convertedTrack(newest.segment) !== undefined;
    }
    const { beginMs, endMs = Number.MAX_SAFE_INTEGER } = range;
    const [first] = await this.#source.fragmentsBetween(streamId, { beginMs, endMs, limit: 1 });
    return first !== undefined && convertedTrack(first.segment) !== undefined;
  }

  async #isFileConverted(streamId: string, file: string): Promise<boolean> {
    const [, number] = /^media-(\d{47})-/.exec(file) ?? [];
    if (number === undefined) return false;
    const { serverTimestampMs: beginMs } = fragmentNumberParts(parseFragmentNumber(number));
    return this.#isConverted(streamId, { kind: 'recorded', beginMs, endMs: beginMs + 1 });
  }

  /** A sub stream that would have to be converted as well is none that a player should change to. */
  async #subBeside({ sub }: HlsRequest): Promise<HlsRequest['sub']> {
    if (sub === undefined || (await this.#isConverted(sub.streamId, { kind: 'live' }))) return undefined;
    return sub;
  }
}

/** Which of a person's players it is, of a URI. */
function parsePlayer(text: string | undefined): string | undefined {
  if (text === undefined || /^[a-z0-9]{1,32}$/.test(text)) return text;
  throw appError('invalid_argument', 'not the name of a player', { player: text.slice(0, 40) });
}

function parseKind(text: string | undefined): PlayedKind {
  if (text === 'live' || text === 'recorded') return text;
  throw appError('invalid_argument', 'not a kind of conversion', { convert: text?.slice(0, 40) });
}
