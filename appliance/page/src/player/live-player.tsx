/** One stream live: picture, how it is watched and why so, how far behind, sound, pause. */

import { createEffect, createSignal, on, onCleanup, Show } from 'solid-js';
import { Fault } from '../fault.tsx';
import { Conversion } from './conversion.tsx';
import { createIdle } from './idle.ts';
import { type LiveStatus, LiveView } from './live/live-view.ts';
import { openersOf } from './live/openers.ts';
import type { Way } from './live/session.ts';
import { LiveWay } from './live-way.tsx';
import { canPlayCodec, givePlayerName, type Playable, takePlayerName } from './playable.ts';
import './live-player.css';

const figuresMs = 250;
const nothing: LiveStatus = {
  way: undefined,
  why: undefined,
  isFailing: false,
  isAway: false,
  isPaused: false,
  notes: undefined,
};

export function LivePlayer(props: {
  readonly streamId: string;
  /** Of the address of HLS, should it come to that. */
  readonly hlsQuery: string;
  /** The source says that it is live: a change of that is worth another attempt. */
  readonly isLive: boolean;
  /** Why there is no picture, while the source says that it is away. */
  readonly awayWords?: string | undefined;
  /** So is the connection to the appliance. */
  readonly isConnected: boolean;
  readonly videoCodec: string | undefined;
  readonly hasSound: boolean;
  /** A tile: no controls, few words. */
  readonly isSmall?: boolean;
  readonly onPlaying?: (atMs: number | undefined) => void;
  readonly onSize?: (text: string) => void;
}) {
  const [status, setStatus] = createSignal(nothing);
  const [form, setForm] = createSignal<Playable>({ kind: 'original' });
  const [isMuted, setMuted] = createSignal(true);
  const [behindS, setBehindS] = createSignal<number>();
  const [hasOldPicture, setOldPicture] = createSignal(false);
  const playerName = takePlayerName();
  let player: HTMLDivElement | undefined;
  let stage: HTMLDivElement | undefined;
  let view: LiveView | undefined;
  let isOriginalChosen = false;

  const { isIdle, wake } = createIdle(() => (props.isSmall === true ? undefined : player));
  /** What says how it is watched, and buttons, lie over what cameras write into their pictures. */
  const isBare = () => isIdle() && status().way !== undefined;

  const stop = () => {
    view?.close();
    view = undefined;
  };
  const start = () => {
    stop();
    if (stage === undefined) return;
    setStatus(nothing);
    setForm({ kind: 'original' });
    setBehindS(undefined);
    setOldPicture(false);
    view = new LiveView({
      stage,
      openers: openersOf(props.streamId, {
        playerName,
        query: props.hlsQuery,
        onForm: setForm,
        isOriginalChosen: () => isOriginalChosen,
      }),
      isMuted: isMuted(),
      isCostly: props.videoCodec !== undefined && !canPlayCodec(props.videoCodec),
      onStatus: (next) => {
        if (next.way !== undefined) setOldPicture(true);
        if (next.way !== status().way) wake();
        setStatus(next);
      },
      onSize: (size) => props.onSize?.(size),
    });
    view.start();
  };

  createEffect(
    on(
      () => [props.streamId, props.hlsQuery] as const,
      () => {
        isOriginalChosen = false;
        start();
      },
    ),
  );
  createEffect(
    on(
      () => props.isLive && props.isConnected,
      (isBack) => isBack && view?.changed(),
      { defer: true },
    ),
  );
  createEffect(() => {
    const muted = isMuted();
    if (view !== undefined) view.isMuted = muted;
  });
  const clock = setInterval(() => {
    const figures = view?.figures();
    setBehindS(figures?.behindS);
    if (status().way !== undefined) props.onPlaying?.(figures?.atMs);
  }, figuresMs);
  onCleanup(() => {
    clearInterval(clock);
    stop();
    givePlayerName(playerName);
  });

  /** WebRTC converts by itself; that it does is said as it is for HLS. */
  const shownForm = (): Playable => {
    const codec = props.videoCodec;
    if (status().way === 'webrtc' && codec !== undefined && !canPlayCodec(codec))
      return { kind: 'converted', url: '', codec: 'H.265' };
    return status().way === 'hls' || form().kind === 'refused' ? form() : { kind: 'original' };
  };
  return (
    <div
      class="player live"
      classList={{ small: props.isSmall === true, bare: isBare() }}
      ref={(element) => {
        player = element;
      }}
    >
      <Show when={!hasOldPicture() && props.streamId} keyed>
        {(streamId) => <Poster streamId={streamId} isSmall={props.isSmall === true} />}
      </Show>
      <div
        class="screen"
        ref={(element) => {
          stage = element;
        }}
      />
      <Show when={status().way === undefined && !status().isPaused && shownForm().kind !== 'refused'}>
        <p class="waiting" role="status">
          <span>{waitingText(status(), props.awayWords)}</span>
        </p>
      </Show>
      <Show when={status().way}>
        {(way) => <LiveWay way={way() as Way} status={status()} behindS={behindS()} isSmall={props.isSmall === true} />}
      </Show>
      <Show when={props.isSmall !== true && (status().way !== undefined || status().isPaused)}>
        <div class="controls">
          <button type="button" onClick={() => (status().isPaused ? view?.resume() : view?.pause())}>
            {status().isPaused ? 'Go on' : 'Pause'}
          </button>
          <Show when={props.hasSound}>
            <button type="button" class="sound" onClick={() => setMuted(!isMuted())}>
              {isMuted() ? 'Sound on' : 'Sound off'}
            </button>
          </Show>
        </div>
      </Show>
      <Show when={props.isSmall !== true}>
        <Conversion
          form={shownForm()}
          onSmaller={() => {
            isOriginalChosen = true;
            setForm({ kind: 'original' });
            view?.changed();
          }}
        />
        <Show when={props.awayWords === undefined && failureText(status(), shownForm())}>
          {(text) => <Fault fault={{ code: 'unavailable', message: text() }} />}
        </Show>
      </Show>
    </div>
  );
}

/** The newest picture that the appliance has, until there is a moving one. */
function Poster(props: { readonly streamId: string; readonly isSmall: boolean }) {
  const [isThere, setThere] = createSignal(false);
  return (
    <img
      class="poster"
      classList={{ absent: !isThere() }}
      alt=""
      src={`/api/streams/${props.streamId}/image.jpg?width=${props.isSmall ? 480 : 1280}&turn=${Date.now()}`}
      onLoad={() => setThere(true)}
    />
  );
}

function waitingText({ isAway }: LiveStatus, awayWords: string | undefined): string {
  if (awayWords !== undefined) return awayWords;
  return isAway ? 'The camera sends nothing just now' : 'Waiting for the picture …';
}

/** Why nothing is shown, once everything was tried. */
function failureText({ why, isFailing, isAway, isPaused }: LiveStatus, form: Playable): string | undefined {
  return isFailing && !isAway && !isPaused && form.kind !== 'refused' ? why : undefined;
}
