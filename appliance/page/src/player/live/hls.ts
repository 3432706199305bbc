/** Live by HLS: in parts where the camera's view asks for them, converted where the browser cannot decode what the camera sends. */

import type Hls from 'hls.js';
import { type Playable, playableOf } from '../playable.ts';
import { type Failure, type Session, type SessionEvents, startPlaying, whenPictured } from './session.ts';

/** How much faster a late picture plays: nobody hears it. */
const catchUpRate = 1.1;
/** In an address: it is played in parts, about a second and a half behind. */
const lowLatency = 'latency=low';
/** So many stalls within that time are more than a camera's restart: with low latency there is nothing left to wait with. */
const stallsMax = 4;
const stallsWithinMs = 30_000;

export type HlsOptions = {
  /** Of a master playlist. */
  readonly url: string;
  readonly playerName: string;
  /** Which form is played, or why none is. */
  readonly onForm: (form: Playable) => void;
  /** Somebody chose the original, smaller picture: the browser is not asked. */
  readonly isOriginalChosen: () => boolean;
};

export function openHls(options: HlsOptions, video: HTMLVideoElement, events: SessionEvents): Session {
  const { url, playerName, onForm, isOriginalChosen } = options;
  const plain = url.replace(lowLatency, '');
  let player: Hls | undefined;
  let isOver = false;
  let isPlain = url === plain;
  let stallsAtMs: number[] = [];

  const close = () => {
    isOver = true;
    stopWaiting();
    player?.destroy();
    player = undefined;
  };
  const fail = (failure: Failure) => {
    if (isOver) return;
    close();
    events.onFailed(failure);
  };

  const play = async () => {
    player?.destroy();
    player = undefined;
    const form: Playable = isOriginalChosen() ? { kind: 'original' } : await playableOf(plain, { player: playerName });
    if (isOver) return;
    onForm(form);
    if (form.kind === 'refused') {
      const { retryAfterMs, fault } = form;
      return fail({ kind: 'not-ready', message: fault.message, retryAfterMs });
    }
    // Loaded when it is wanted: most views do without.
    const { default: HlsPlayer } = await import('hls.js');
    if (isOver) return;
    if (!HlsPlayer.isSupported()) {
      // As iPhones do, which play HLS by themselves.
      video.src = plain;
      return startPlaying(video);
    }
    const isLow = form.kind === 'original' && !isPlain && !isOriginalChosen();
    const next = new HlsPlayer({
      enableWorker: true,
      backBufferLength: 60,
      // What is converted has no parts: it stays two segments behind.
      ...(isLow
        ? { lowLatencyMode: true, maxLiveSyncPlaybackRate: catchUpRate }
        : { lowLatencyMode: false, liveSyncDurationCount: 2 }),
    });
    player = next;
    next.on(HlsPlayer.Events.ERROR, (_, data) => {
      if (isOver || player !== next) return;
      if (data.details === HlsPlayer.ErrorDetails.BUFFER_STALLED_ERROR && isLow) {
        const now = Date.now();
        stallsAtMs = [...stallsAtMs, now].filter((atMs) => now - atMs < stallsWithinMs);
        if (stallsAtMs.length >= stallsMax) {
          isPlain = true;
          return void play();
        }
      }
      if (!data.fatal) return;
      const { MEDIA_ERROR } = HlsPlayer.ErrorTypes;
      const { MANIFEST_INCOMPATIBLE_CODECS_ERROR } = HlsPlayer.ErrorDetails;
      if (data.type === MEDIA_ERROR && data.details !== MANIFEST_INCOMPATIBLE_CODECS_ERROR) {
        next.recoverMediaError();
        return;
      }
      fail({ kind: 'lost', message: explainHls(data.details, data.response?.code), retryAfterMs: 3_000 });
    });
    next.loadSource(form.kind === 'converted' ? form.url : isLow ? url : plain);
    next.attachMedia(video);
    return startPlaying(video);
  };

  const stopWaiting = whenPictured(video, () => {
    if (!isOver) events.onPicture();
  });
  play().catch((error: unknown) => fail({ kind: 'lost', message: `HLS failed (${String(error)})` }));
  return {
    figures: () => ({ behindS: player?.latency, atMs: player?.playingDate?.getTime() }),
    close,
  };
}

/**
 * What a fatal error of hls.js means to a person.
 * @param request  that failed: its answer says whether there never was anything, or it was removed
 */
export function explainHls(details: string, status: number | undefined, request?: unknown): string {
  if (status === 404) return answerOf(request) ?? 'nothing is recorded there';
  if (status === 401) return 'the login has ended: load the page again';
  if (status === 503) return 'the camera has sent no picture yet, trying again';
  if (details === 'manifestIncompatibleCodecsError')
    return 'this browser cannot play the codec of this camera; a clip can still be downloaded';
  return `the picture cannot be played just now (${details}), trying again`;
}

/** The server's own words. */
function answerOf(request: unknown): string | undefined {
  if (!(request instanceof XMLHttpRequest) || (request.responseType !== '' && request.responseType !== 'text')) {
    return undefined;
  }
  try {
    const { error } = JSON.parse(request.responseText) as { readonly error?: { readonly message?: string } };
    return error?.message;
  } catch {
    return undefined;
  }
}
