/** Plays what was recorded from one HLS address, tells the wall time of the picture that is shown, and goes to another one where it has it. */

import type Hls from 'hls.js';
import { createEffect, createSignal, on, onCleanup, Show } from 'solid-js';
import { Fault } from '../fault.tsx';
import { Conversion } from './conversion.tsx';
import { explainHls } from './live/hls.ts';
import { givePlayerName, type Playable, playableOf, takePlayerName } from './playable.ts';

/** After a fatal error the player starts anew. */
const restartDelayMs = 3_000;
const clockPeriodMs = 250;

export type PlayerControls = {
  /** Goes to a wall time and plays; false where the loaded playlist has none of it. */
  seek(atMs: number): boolean;
};

export function RecordedPlayer(props: {
  readonly url: string;
  readonly rate: number;
  readonly onPlaying: (atMs: number | undefined) => void;
  readonly onSize: (text: string) => void;
  readonly onEnded: () => void;
  readonly controls: (controls: PlayerControls | undefined) => void;
}) {
  const [message, setMessage] = createSignal<string>();
  /** A picture of what is asked for is there. */
  const [hasPicture, setHasPicture] = createSignal(false);
  const [form, setForm] = createSignal<Playable>({ kind: 'original' });
  let video: HTMLVideoElement | undefined;
  let player: Hls | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let generation = 0;
  const name = takePlayerName();

  const stop = () => {
    generation++;
    clearTimeout(timer);
    player?.destroy();
    player = undefined;
  };

  /** @param asForm  as somebody chose, instead of asking the browser */
  const play = async (url: string, asForm?: Playable) => {
    stop();
    const mine = generation;
    setMessage(undefined);
    setHasPicture(false);
    // With both streams of a camera: what is decided here is whether either can be played.
    const playable = asForm ?? (await playableOf(url, { player: name }));
    if (mine !== generation) return;
    setForm(playable);
    if (playable.kind === 'refused') {
      timer = setTimeout(() => void play(url), playable.retryAfterMs);
      return;
    }
    const { default: HlsPlayer } = await import('hls.js');
    if (mine !== generation || video === undefined) return;
    // The end of what is still recorded stays two segments behind.
    const next = new HlsPlayer({
      ...{ enableWorker: true, backBufferLength: 60, lowLatencyMode: false },
      ...{ liveSyncDurationCount: 2, startPosition: 0 },
    });
    player = next;
    next.on(HlsPlayer.Events.ERROR, (_, data) => {
      if (mine !== generation || !data.fatal) return;
      const { MEDIA_ERROR } = HlsPlayer.ErrorTypes;
      const { MANIFEST_INCOMPATIBLE_CODECS_ERROR } = HlsPlayer.ErrorDetails;
      if (data.type === MEDIA_ERROR && data.details !== MANIFEST_INCOMPATIBLE_CODECS_ERROR) {
        next.recoverMediaError();
        return;
      }
      setMessage(explainHls(data.details, data.response?.code, data.networkDetails));
      timer = setTimeout(() => void play(url, asForm), restartDelayMs);
    });
    next.loadSource(playable.kind === 'converted' ? playable.url : url);
    next.attachMedia(video);
    video.playbackRate = props.rate;
    video.play().catch((error: unknown) => {
      // Another source, or none, ends a wait as well: only the browser's refusal is for a person to lift.
      if (error instanceof DOMException && error.name === 'NotAllowedError') setMessage('press play to begin');
    });
  };

  props.controls({
    seek(atMs) {
      const level = player === undefined ? undefined : player.levels[Math.max(0, player.currentLevel)];
      for (const { programDateTime, start, duration } of level?.details?.fragments ?? []) {
        if (programDateTime == null || video === undefined) continue;
        const offset = (atMs - programDateTime) / 1_000;
        if (offset < 0 || offset >= duration) continue;
        video.currentTime = start + offset;
        void video.play().catch(() => {});
        return true;
      }
      return false;
    },
  });

  createEffect(
    on(
      () => props.url,
      (url) => void play(url),
    ),
  );
  createEffect(() => {
    const { rate } = props;
    if (video !== undefined) video.playbackRate = rate;
  });
  const clock = setInterval(() => {
    const date = player?.playingDate;
    if (date != null && video !== undefined && video.readyState >= 2) {
      setMessage(undefined);
      setHasPicture(true);
      props.onPlaying(date.getTime());
    }
  }, clockPeriodMs);
  onCleanup(() => {
    clearInterval(clock);
    stop();
    givePlayerName(name);
    props.controls(undefined);
  });

  return (
    <div class="player">
      <video
        ref={(element) => {
          video = element;
        }}
        muted
        controls
        autoplay
        playsinline
        onResize={(event) => {
          const { videoWidth, videoHeight } = event.currentTarget;
          props.onSize(videoWidth === 0 ? '' : `${videoWidth} × ${videoHeight}`);
        }}
        onEnded={() => props.onEnded()}
      />
      <Show when={!hasPicture() && message() === undefined && form().kind !== 'refused'}>
        <p class="waiting" role="status">
          Loading …
        </p>
      </Show>
      <Conversion form={form()} onSmaller={() => void play(props.url, { kind: 'original' })} />
      <Show when={message()}>{(text) => <Fault fault={{ code: 'unavailable', message: text() }} />}</Show>
    </div>
  );
}
