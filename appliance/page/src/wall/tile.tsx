/** One camera of a wall: live while it can be seen, and how it is doing. */

import { createEffect, createMemo, createSignal, on, onCleanup, Show } from 'solid-js';
import type { Alarm } from '../alarms/alarms.ts';
import { backSinceMs } from '../alarms/back.ts';
import type { Camera } from '../api.ts';
import { StateBadge, spokenState, stateOf, stateWord, subStateOf } from '../cameras/state.tsx';
import type { Events } from '../events.ts';
import { sentence } from '../fault.tsx';
import { clockText } from '../format.ts';
import { LivePlayer } from '../player/live-player.tsx';
import { cameraAddress } from '../route.ts';

/** A tile with no more pixels than that takes the smaller picture, where the camera has one that is live. */
const smallPixelsMax = 960;
/** Whoever only scrolls or leafs past starts nothing. */
const settleMs = 200;

export function WallTile(props: {
  readonly camera: Camera;
  readonly events: Events;
  /** Those that stand about this camera, the most urgent first. */
  readonly alarms: readonly Alarm[];
  /** The tab is in front. */
  readonly isTabSeen: boolean;
}) {
  const [isInSight, setInSight] = createSignal(false);
  const [isPlaying, setPlaying] = createSignal(false);
  const [widthPixels, setWidthPixels] = createSignal(0);
  const sight = new IntersectionObserver(
    (entries) => {
      const newest = entries.at(-1);
      if (newest === undefined) return;
      setInSight(newest.isIntersecting);
    },
    { threshold: 0.05 },
  );
  const size = new ResizeObserver((entries) => {
    const width = entries.at(-1)?.contentRect.width ?? 0;
    if (width > 0) setWidthPixels(width * devicePixelRatio);
  });
  let timer: ReturnType<typeof setTimeout> | undefined;
  createEffect(
    on(
      () => isInSight() && props.isTabSeen,
      (isSeen) => {
        clearTimeout(timer);
        if (isSeen) timer = setTimeout(() => setPlaying(true), settleMs);
        else setPlaying(false);
      },
    ),
  );
  onCleanup(() => {
    clearTimeout(timer);
    sight.disconnect();
    size.disconnect();
  });

  const state = () => stateOf(props.camera, props.events.states);
  const subState = () => subStateOf(props.camera, props.events.states);
  const isSmaller = createMemo(() => widthPixels() <= smallPixelsMax && subState()?.state === 'live');
  const streamId = createMemo(() => {
    const wanted = isSmaller() ? 'sub' : 'main';
    return (props.camera.streams.find(({ role }) => role === wanted) ?? props.camera.streams[0])?.id ?? '';
  });
  const shownState = () => (isSmaller() ? subState() : state());
  const isLive = () => shownState()?.state === 'live';
  const words = () => spokenState(props.camera, props.events.states)?.message ?? undefined;
  const backMs = (one: Alarm) => backSinceMs(one, props.camera, props.events.states);
  /** What the camera is back from comes after all else. */
  const alarm = () => props.alarms.find((one) => backMs(one) === undefined) ?? props.alarms[0];
  const isCalm = (one: Alarm) => one.acknowledged !== null || backMs(one) !== undefined;
  const isAlarmed = () => {
    const one = alarm();
    return one !== undefined && !isCalm(one);
  };
  /** What it says about this camera: the title names one that everybody can see here. */
  const alarmWords = (one: Alarm) => {
    const back = backMs(one);
    if (back !== undefined) return `was away, back since ${clockText(back)}`;
    return one.subjects.find(({ id }) => id === props.camera.id)?.text ?? one.title;
  };
  const spokenAlarm = () => {
    const one = alarm();
    if (one === undefined) return undefined;
    return backMs(one) === undefined ? one.title : alarmWords(one);
  };
  return (
    <a
      class="walltile"
      classList={{ alarmed: isAlarmed() }}
      href={cameraAddress(props.camera.id)}
      aria-label={[props.camera.name, stateWord(props.camera, state()), spokenAlarm(), words()]
        .filter(Boolean)
        .join('. ')}
      data-camera={props.camera.id}
      ref={(element) => {
        sight.observe(element);
        size.observe(element);
      }}
    >
      <Show when={isPlaying() && isLive()} fallback={<Still streamId={streamId()} isLive={isLive()} />}>
        <LivePlayer
          streamId={streamId()}
          hlsQuery="renditions=one"
          isLive={isLive()}
          isConnected={props.events.isConnected()}
          videoCodec={shownState()?.tracks.find(({ codec }) => /^h26/.test(codec))?.codec}
          hasSound={false}
          isSmall
        />
      </Show>
      <div class="plate">
        <Show when={alarm()}>
          {(one) => (
            <p class={`alarmword ${one().severity}`} classList={{ known: isCalm(one()) }}>
              {sentence(alarmWords(one()))}
            </p>
          )}
        </Show>
        <Show when={alarm() === undefined && words()}>{(text) => <p class="trouble">{sentence(text())}</p>}</Show>
        <p class="caption">
          <strong>{props.camera.name}</strong>
          <StateBadge camera={props.camera} state={state()} />
        </p>
      </div>
    </a>
  );
}

/** The last picture there is, for a tile that plays nothing. */
function Still(props: { readonly streamId: string; readonly isLive: boolean }) {
  const [isThere, setThere] = createSignal(false);
  return (
    <div class="still" classList={{ old: !props.isLive }}>
      <img
        classList={{ absent: !isThere() }}
        alt=""
        src={`/api/streams/${props.streamId}/image.jpg?width=480`}
        loading="lazy"
        onLoad={() => setThere(true)}
        onError={() => setThere(false)}
      />
    </div>
  );
}
