/** What the ways of watching live have in common: each attempt is a session with a video element of its own. */

/** Best first. */
export const ways = ['webrtc', 'socket', 'hls'] as const;
export type Way = (typeof ways)[number];

/**
 * Why a session is over, and with it what makes trying again worth while:
 * `unsupported`: the browser cannot. `not-ready`: the appliance says to come again. `refused`: not for this camera or this viewer.
 * `network`: no connection came about. `lost`: it played, or should have, and stopped.
 */
export type FailureKind = 'unsupported' | 'not-ready' | 'refused' | 'network' | 'lost';

export type Failure = { readonly kind: FailureKind; readonly message: string; readonly retryAfterMs?: number };

export type SessionEvents = {
  /** A picture is shown. */
  onPicture(): void;
  /** The camera sends nothing just now; the session goes on by itself when it does again. */
  onAway(): void;
  /** What was changed or left out on the way, in words. */
  onNotes(notes: string): void;
  /** It is over; its last picture may stay. */
  onFailed(failure: Failure): void;
};

/** Undefined: not known, or not yet. */
export type SessionFigures = {
  /** How far the picture is behind the newest that could be had, seconds. */
  readonly behindS: number | undefined;
  /** Wall time of the picture, milliseconds. */
  readonly atMs: number | undefined;
};

export type Session = {
  figures(): SessionFigures;
  /** Ends it for good. The element is its owner's. */
  close(): void;
};

export type Opener = (video: HTMLVideoElement, events: SessionEvents) => Session;

/** Calls back once, when the element shows a picture. Returns how to stop waiting. */
export function whenPictured(video: HTMLVideoElement, callback: () => void): () => void {
  if ('requestVideoFrameCallback' in video) {
    const handle = video.requestVideoFrameCallback(() => callback());
    return () => video.cancelVideoFrameCallback(handle);
  }
  const element = video as HTMLVideoElement;
  const look = () => {
    if (element.readyState < HTMLMediaElement.HAVE_CURRENT_DATA || element.videoWidth === 0) return;
    element.removeEventListener('timeupdate', look);
    callback();
  };
  element.addEventListener('timeupdate', look);
  return () => element.removeEventListener('timeupdate', look);
}

/** Plays; without sound where the browser wants a click for it. */
export async function startPlaying(video: HTMLVideoElement): Promise<void> {
  try {
    await video.play();
  } catch (error) {
    if (!(error instanceof DOMException) || error.name !== 'NotAllowedError' || video.muted) return;
    video.muted = true;
    await video.play().catch(() => {});
  }
}
