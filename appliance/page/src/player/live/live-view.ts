/**
 * Shows a camera live in the best way there is, and says which and why: WebRTC, else a WebSocket, else HLS. What is shown goes on
 * until the next way has a picture, and the last picture stays until there is a new one.
 *
 *   ways that are due -> candidates, each with an element below what is shown -> the first with a picture is shown
 */

import type { Failure, Opener, Session, SessionFigures, Way } from './session.ts';
import { ways } from './session.ts';

export type LiveStatus = {
  /** What is shown; undefined while nothing is. */
  readonly way: Way | undefined;
  /** Why it is not a better one, or why there is none at all. */
  readonly why: string | undefined;
  /** Every way was tried and failed. */
  readonly isFailing: boolean;
  /** Nothing comes from the camera. */
  readonly isAway: boolean;
  readonly isPaused: boolean;
  /** What was changed or left out of what is shown. */
  readonly notes: string | undefined;
};

export type LiveViewOptions = {
  /** Elements are put in here. */
  readonly stage: HTMLElement;
  readonly openers: Readonly<Record<Way, Opener>>;
  readonly isMuted: boolean;
  /** Each way holds one of few places meanwhile, and begins slowly: the next one waits for it longer. */
  readonly isCostly: boolean;
  readonly onStatus: (status: LiveStatus) => void;
  /** Another picture size: `640 × 360`. */
  readonly onSize?: (size: string) => void;
};

type Attempt = {
  readonly way: Way;
  readonly video: HTMLVideoElement;
  session: Session | undefined;
  hasPicture: boolean;
  isAway: boolean;
  notes: string | undefined;
};
type Standing = { failure: Failure | undefined; failures: number; notBeforeMs: number };

/** A way that has shown nothing for so long lets the next one begin beside it. */
const headStartMs = 2_500;
const headStartMsOfCostly = 15_000;
/** First and longest wait before a way is tried again, by why it ended. */
const waits = {
  unsupported: [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
  'not-ready': [5_000, 30_000],
  refused: [60_000, 600_000],
  network: [120_000, 900_000],
  lost: [500, 15_000],
} as const satisfies Record<Failure['kind'], readonly [number, number]>;

export class LiveView {
  readonly #options: LiveViewOptions;
  readonly #standings = new Map<Way, Standing>();
  readonly #candidates = new Map<Way, Attempt>();
  readonly #startedMs = new Map<Way, number>();
  #shown: Attempt | undefined;
  /** Of the session that was shown last: its picture stays. */
  #frozen: HTMLVideoElement | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isMuted: boolean;
  #isPaused = false;
  #isClosed = false;

  constructor(options: LiveViewOptions) {
    this.#options = options;
    this.#isMuted = options.isMuted;
  }

  start(): void {
    addEventListener('online', this.#onChange);
    document.addEventListener('visibilitychange', this.#onChange);
    this.#next();
  }

  close(): void {
    this.#isClosed = true;
    removeEventListener('online', this.#onChange);
    document.removeEventListener('visibilitychange', this.#onChange);
    clearTimeout(this.#timer);
    for (const attempt of [...this.#candidates.values()]) this.#drop(attempt);
    if (this.#shown !== undefined) this.#drop(this.#shown);
    this.#shown = undefined;
    this.#frozen?.remove();
    this.#frozen = undefined;
  }

  figures(): SessionFigures {
    return this.#shown?.session?.figures() ?? { behindS: undefined, atMs: undefined };
  }

  set isMuted(isMuted: boolean) {
    this.#isMuted = isMuted;
    for (const { video } of this.#attempts()) video.muted = isMuted;
  }

  /** Everything ends but the picture that is shown. */
  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    clearTimeout(this.#timer);
    for (const attempt of [...this.#candidates.values()]) this.#drop(attempt);
    this.#freeze();
    this.#tell();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.changed();
  }

  /** Something is different now, the camera or the network: what was in the way may be no more. */
  changed(): void {
    for (const standing of this.#standings.values()) {
      if (standing.failure?.kind === 'unsupported') continue;
      standing.notBeforeMs = 0;
      standing.failures = 0;
    }
    this.#next();
  }

  readonly #onChange = (): void => {
    if (!document.hidden) this.changed();
  };

  get #headStartMs(): number {
    return this.#options.isCostly ? headStartMsOfCostly : headStartMs;
  }

  *#attempts(): Iterable<Attempt> {
    yield* this.#candidates.values();
    if (this.#shown !== undefined) yield this.#shown;
  }

  /** Begins what is due, and comes again when the next one is. */
  #next(): void {
    clearTimeout(this.#timer);
    if (this.#isClosed || this.#isPaused) return;
    const now = performance.now();
    const wanted = this.#shown === undefined ? ways : ways.slice(0, ways.indexOf(this.#shown.way));
    let nextMs = Number.POSITIVE_INFINITY;
    for (const way of wanted) {
      const candidate = this.#candidates.get(way);
      if (candidate !== undefined) {
        // Beside what is shown one is enough, and nothing has pictures of a camera that is away; else the next way begins soon.
        if (this.#shown !== undefined || candidate.isAway) break;
        const startedMs = this.#startedMs.get(way) ?? now;
        if (now - startedMs >= this.#headStartMs) continue;
        nextMs = Math.min(nextMs, startedMs + this.#headStartMs);
        break;
      }
      const { notBeforeMs } = this.#standingOf(way);
      if (notBeforeMs > now) nextMs = Math.min(nextMs, notBeforeMs);
      else if (!document.hidden || this.#shown === undefined) {
        this.#begin(way);
        nextMs = Math.min(nextMs, now + this.#headStartMs);
        break;
      }
    }
    if (Number.isFinite(nextMs)) this.#timer = setTimeout(() => this.#next(), Math.max(50, nextMs - now));
    this.#tell();
  }

  #begin(way: Way): void {
    const video = this.#newVideo();
    const attempt: Attempt = { way, video, session: undefined, hasPicture: false, isAway: false, notes: undefined };
    this.#candidates.set(way, attempt);
    this.#startedMs.set(way, performance.now());
    attempt.session = this.#options.openers[way](video, {
      onPicture: () => this.#onPicture(attempt),
      onAway: () => {
        attempt.isAway = true;
        this.#tell();
      },
      onNotes: (notes) => {
        attempt.notes = notes;
        this.#tell();
      },
      onFailed: (failure) => this.#onFailed(attempt, failure),
    });
  }

  #newVideo(): HTMLVideoElement {
    const video = document.createElement('video');
    video.muted = this.#isMuted;
    video.playsInline = true;
    video.addEventListener('resize', () => {
      const { videoWidth, videoHeight } = video;
      if (videoWidth > 0 && (this.#shown?.video ?? video) === video)
        this.#options.onSize?.(`${videoWidth} × ${videoHeight}`);
    });
    // Below what is shown, until it has a picture.
    this.#options.stage.prepend(video);
    return video;
  }

  #onPicture(attempt: Attempt): void {
    attempt.isAway = false;
    if (attempt.hasPicture || this.#candidates.get(attempt.way) !== attempt) {
      this.#tell();
      return;
    }
    attempt.hasPicture = true;
    this.#candidates.delete(attempt.way);
    const before = this.#shown;
    this.#shown = attempt;
    const standing = this.#standingOf(attempt.way);
    standing.failure = undefined;
    if (before !== undefined) this.#drop(before);
    this.#frozen?.remove();
    this.#frozen = undefined;
    for (const other of [...this.#candidates.values()]) {
      if (ways.indexOf(other.way) > ways.indexOf(attempt.way)) this.#drop(other);
    }
    const { videoWidth, videoHeight } = attempt.video;
    if (videoWidth > 0) this.#options.onSize?.(`${videoWidth} × ${videoHeight}`);
    this.#next();
  }

  #onFailed(attempt: Attempt, failure: Failure): void {
    const isShown = this.#shown === attempt;
    if (!isShown && this.#candidates.get(attempt.way) !== attempt) return;
    const standing = this.#standingOf(attempt.way);
    standing.failure = failure;
    const [first, longest] = waits[failure.kind];
    const waitMs = failure.retryAfterMs ?? Math.min(longest, first * 2 ** standing.failures);
    // What played is begun anew at once; only if that fails, too, another way is shown.
    const playedMs = isShown ? performance.now() - (this.#startedMs.get(attempt.way) ?? 0) : 0;
    if (isShown && playedMs > waits.lost[1]) standing.failures = 0;
    else standing.failures++;
    standing.notBeforeMs = performance.now() + (isShown && standing.failures === 0 ? 0 : waitMs);
    if (isShown) this.#freeze();
    else this.#drop(attempt);
    this.#next();
  }

  /** The session ends, its picture stays. */
  #freeze(): void {
    const shown = this.#shown;
    if (shown === undefined) return;
    this.#shown = undefined;
    this.#frozen?.remove();
    this.#frozen = shown.video;
    shown.video.pause();
    shown.session?.close();
  }

  #drop({ way, video, session }: Attempt): void {
    if (this.#candidates.get(way)?.video === video) this.#candidates.delete(way);
    session?.close();
    video.srcObject = null;
    video.removeAttribute('src');
    video.load();
    video.remove();
  }

  #standingOf(way: Way): Standing {
    const known = this.#standings.get(way) ?? { failure: undefined, failures: 0, notBeforeMs: 0 };
    this.#standings.set(way, known);
    return known;
  }

  #tell(): void {
    if (this.#isClosed) return;
    const way = this.#shown?.way;
    const better = way === undefined ? ways : ways.slice(0, ways.indexOf(way));
    const reasons = better
      .map((one) => this.#standings.get(one)?.failure?.message)
      .filter((text) => text !== undefined);
    this.#options.onStatus({
      way,
      why: reasons.length === 0 ? undefined : [...new Set(reasons)].join('; '),
      isAway: (this.#shown ?? [...this.#candidates.values()].find((one) => one.isAway))?.isAway === true,
      isFailing: way === undefined && ways.every((one) => this.#standings.get(one)?.failure !== undefined),
      isPaused: this.#isPaused,
      notes: this.#shown?.notes,
    });
  }
}
