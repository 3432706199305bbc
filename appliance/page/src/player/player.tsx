/** Plays one HLS address, live or recorded, tells the wall time of the picture that is shown, and goes to another one where it has it. */

import type Hls from 'hls.js';
import { createEffect, createSignal, on, onCleanup, Show } from 'solid-js';
import { Fault } from '../fault.tsx';
import { Conversion } from './conversion.tsx';
import { givePlayerName, type Playable, playableOf, takePlayerName } from './playable.ts';

/** After a fatal error the player starts anew, so that a camera that comes back is seen without a click. */
const restartDelayMs = 3_000;
const clockPeriodMs = 250;
/** How much faster a live picture plays to come back to its delay: nobody hears it. */
const catchUpRate = 1.1;

/** In an address: it is played in parts, about a second and a half behind. */
const lowLatency = 'latency=low';
/** So many stalls within that time are more than a camera's restart: with low latency there is nothing left to wait with. */
const stallsMax = 4;
const stallsWithinMs = 30_000;

export type PlayerControls = {
  /** Goes to a wall time and plays; false where the loaded playlist has none of it. */
  seek(atMs: number): boolean;
};

export function Player(props: {
  readonly url: string;
  readonly isLive: boolean;
  readonly rate: number;
  readonly hasSound: boolean;
  readonly onPlaying: (atMs: number | undefined) => void;
  readonly onSize: (text: string) => void;
  readonly onEnded: () => void;
  readonly controls: (controls: PlayerControls) => void;
}) {
  const [message, setMessage] = createSignal<string>();
  const [isMuted, setMuted] = createSignal(true);
  /** A picture of what is asked for is there. */
  const [hasPicture, setHasPicture] = createSignal(false);
  const [form, setForm] = createSignal<Playable>({ kind: 'original' });
  /** How far the picture is behind the newest one that has arrived, seconds. */
  const [behindS, setBehindS] = createSignal<number>();
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
  const play = async (url: string, isLive: boolean, asForm?: Playable) => {
    stop();
    const mine = generation;
    setMessage(undefined);
    setHasPicture(false);
    setBehindS(undefined);
    // With both streams of a camera: what is decided here is whether either can be played.
    const plain = url.replace(lowLatency, '');
    const playable = asForm ?? (await playableOf(plain, { player: name }));
    if (mine !== generation) return;
    setForm(playable);
    if (playable.kind === 'refused') {
      timer = setTimeout(() => void play(url, isLive), playable.retryAfterMs);
      return;
    }
    // Loaded when the first picture is wanted: the list of cameras does not need it.
    const { default: HlsPlayer } = await import('hls.js');
    if (mine !== generation || video === undefined) return;
    const isLow = isLive && playable.kind === 'original' && asForm === undefined && url !== plain;
    const next = new HlsPlayer({
      enableWorker: true,
      backBufferLength: 60,
      // What is converted has no parts: it stays two segments behind, as does the end of what is still recorded.
      ...(isLow
        ? { lowLatencyMode: true, maxLiveSyncPlaybackRate: catchUpRate }
        : { lowLatencyMode: false, liveSyncDurationCount: 2 }),
      ...(isLive ? {} : { startPosition: 0 }),
    });
    player = next;
    let stallsAtMs: number[] = [];
    next.on(HlsPlayer.Events.ERROR, (_, data) => {
      if (mine !== generation) return;
      if (data.details === HlsPlayer.ErrorDetails.BUFFER_STALLED_ERROR && isLow) {
        const now = Date.now();
        stallsAtMs = [...stallsAtMs, now].filter((atMs) => now - atMs < stallsWithinMs);
        if (stallsAtMs.length >= stallsMax) return void play(plain, isLive);
      }
      if (!data.fatal) return;
      if (
        data.type === HlsPlayer.ErrorTypes.MEDIA_ERROR &&
        data.details !== HlsPlayer.ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR
      ) {
        next.recoverMediaError();
        return;
      }
      setMessage(explain(data.details, data.response?.code));
      timer = setTimeout(() => void play(url, isLive, asForm), restartDelayMs);
    });
    next.loadSource(playable.kind === 'converted' ? playable.url : isLow ? url : plain);
    next.attachMedia(video);
    video.playbackRate = isLive ? 1 : props.rate;
    video.play().catch(() => setMessage('press play to begin'));
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
      () => [props.url, props.isLive] as const,
      ([url, isLive]) => void play(url, isLive),
    ),
  );
  createEffect(() => {
    const rate = props.isLive ? 1 : props.rate;
    if (video !== undefined) video.playbackRate = rate;
  });
  const clock = setInterval(() => {
    const date = player?.playingDate;
    if (date != null && video !== undefined && video.readyState >= 2) {
      setMessage(undefined);
      setHasPicture(true);
      setBehindS(player?.latency);
      props.onPlaying(date.getTime());
    }
  }, clockPeriodMs);
  onCleanup(() => {
    clearInterval(clock);
    stop();
    givePlayerName(name);
  });

  return (
    <div class="player">
      <video
        ref={(element) => {
          video = element;
        }}
        muted={isMuted()}
        controls={!props.isLive}
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
          {props.isLive ? 'Waiting for the picture …' : 'Loading …'}
        </p>
      </Show>
      <Show when={props.isLive && hasPicture()}>
        <span class="mode" title="Behind the newest picture that has arrived from the camera">
          LIVE
          <Show when={behindS()}>{(seconds) => <> · {seconds().toFixed(1)} s behind</>}</Show>
        </span>
        <Show when={props.hasSound}>
          <button type="button" class="sound" onClick={() => setMuted(!isMuted())}>
            {isMuted() ? 'Sound on' : 'Sound off'}
          </button>
        </Show>
      </Show>
      <Conversion form={form()} onSmaller={() => void play(props.url, props.isLive, { kind: 'original' })} />
      <Show when={message()}>{(text) => <Fault fault={{ code: 'unavailable', message: text() }} />}</Show>
    </div>
  );
}

function explain(details: string, status: number | undefined): string {
  if (status === 404) return 'nothing is recorded there';
  if (status === 401) return 'the login has ended: load the page again';
  if (status === 503) return 'the camera has sent no picture yet, trying again';
  if (details === 'manifestIncompatibleCodecsError')
    return 'this browser cannot play the codec of this camera; a clip can still be downloaded';
  return `the picture cannot be played just now (${details}), trying again`;
}
