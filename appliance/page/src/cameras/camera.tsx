/** One camera: live or recorded picture, its timeline, and below it how it does, how it is set, and what can be brought in. */

import { createEffect, createMemo, createResource, createSignal, For, Match, on, Show, Switch } from 'solid-js';
import { type Camera, call, type SourceState, type Span } from '../api.ts';
import type { Events } from '../events.ts';
import { ManagedBadge } from '../frame/managed.tsx';
import { createMay, createNow } from '../frame/session.ts';
import { LivePlayer } from '../player/live-player.tsx';
import { canPlayCodec } from '../player/playable.ts';
import { type PlayerControls, RecordedPlayer } from '../player/recorded-player.tsx';
import { createMarks } from '../timeline/marks.ts';
import { TimelinePanel } from '../timeline/panel.tsx';
import { CameraHealth } from './health.tsx';
import { ImportFiles } from './import.tsx';
import type { OnvifFacts } from './onvif.ts';
import { MoveCamera } from './ptz.tsx';
import { CameraSettings } from './settings.tsx';
import { awayWords, StateBadge, StateReason, spokenState, stateOf, subStateOf } from './state.tsx';
import { isKept } from './sub-form.ts';

const nowPeriodMs = 2_000;
/** A recorded playlist reaches so far beyond the chosen instant; the next one is loaded when it ends. */
const playMs = 60 * 60_000;
const rates = [0.5, 1, 2, 4, 8] as const;
/** With the action that makes each worth offering. */
const parts = [
  { name: 'Health', action: 'cameras:read' },
  { name: 'Settings', action: 'cameras:update' },
  { name: 'Import', action: 'streams:import' },
] as const;

const audioCodecs: ReadonlySet<string> = new Set(['aac', 'opus', 'pcmu', 'pcma']);

type Picture = 'auto' | 'main' | 'sub';

/** Of the pictures that it sends. */
function codecOf(tracks: SourceState['tracks'] | undefined): string | undefined {
  return tracks?.find(({ codec }) => !audioCodecs.has(codec))?.codec;
}

export function CameraView(props: {
  readonly camera: Camera;
  readonly events: Events;
  readonly onChanged: () => void;
}) {
  const may = createMay();
  const nowMs = createNow(nowPeriodMs);
  const streamId = () => props.camera.streams[0]?.id ?? '';
  const subStreamId = () => props.camera.streams.find((stream) => stream.role === 'sub')?.id;
  const state = () => stateOf(props.camera, props.events.states);
  const subState = () => subStateOf(props.camera, props.events.states);
  /** Undefined is live. */
  const [beginMs, setBeginMs] = createSignal<number>();
  const [playingMs, setPlayingMs] = createSignal<number>();
  const [picture, setPicture] = createSignal<Picture>('auto');
  const [size, setSize] = createSignal('');
  const [rate, setRate] = createSignal(1);
  const [part, setPart] = createSignal<(typeof parts)[number]['name']>('Health');
  const [view, setView] = createSignal<Span>();
  const marks = createMarks(() => props.camera.id, view);
  let controls: PlayerControls | undefined;

  createEffect(
    on(
      () => props.camera.id,
      () => {
        setBeginMs(undefined);
        setPlayingMs(undefined);
        setPicture('auto');
        setSize('');
      },
      { defer: true },
    ),
  );
  const isLive = () => beginMs() === undefined;
  /** A sub stream that is only live has no past. */
  const isSubKept = () => props.camera.sub !== null && isKept(props.camera.sub.recording);
  const isSubChosen = () => picture() === 'sub' && subStreamId() !== undefined && (isLive() || isSubKept());
  const chosenStreamId = () => (isSubChosen() ? (subStreamId() ?? '') : streamId());
  const shownState = () => (isSubChosen() ? subState() : state());
  const renditions = () => (picture() === 'main' ? { renditions: 'one' } : {});
  // Tiles of a wall do without: a waiting playlist holds a connection, of which a browser has six.
  const liveQuery = () => new URLSearchParams({ ...renditions(), latency: 'low' }).toString();
  const recordedAddress = createMemo(() => {
    const at = beginMs() ?? Date.now();
    const span = { begin: String(at), end: String(Math.min(at + playMs, Date.now())) };
    return `/api/streams/${chosenStreamId()}/hls/master.m3u8?${new URLSearchParams({ ...renditions(), ...span })}`;
  });
  const playFrom = (atMs: number) => {
    const at = Math.floor(atMs);
    if (at > Date.now() - nowPeriodMs) return setBeginMs(undefined);
    // What is loaded already is gone to at once, without a black moment.
    if (!isLive() && controls?.seek(at)) return setPlayingMs(at);
    return setBeginMs(at);
  };
  const [onvif] = createResource(
    () => (props.camera.onvif === null ? undefined : props.camera.id),
    (cameraId) => call<OnvifFacts>('GET', `/api/cameras/${cameraId}/onvif`).catch(() => undefined),
  );

  return (
    <>
      <div class="title">
        <h1>{props.camera.name}</h1>
        <StateBadge camera={props.camera} state={state()} />
        <ManagedBadge site={props.camera.managedBy} />
        <span class="quiet">{size()}</span>
        <span class="grow" />
        <Show when={props.camera.sub}>
          <div class="choice">
            <For each={['auto', 'main', 'sub'] as const}>
              {(one) => (
                <button
                  type="button"
                  aria-pressed={picture() === one}
                  disabled={one === 'sub' && !isLive() && !isSubKept()}
                  onClick={() => setPicture(one)}
                >
                  {one === 'auto' ? 'Auto' : one === 'main' ? 'Main' : 'Sub'}
                </button>
              )}
            </For>
          </div>
        </Show>
        <Show when={!isLive()}>
          <select
            class="small"
            aria-label="Speed"
            value={rate()}
            onChange={(event) => setRate(Number(event.currentTarget.value))}
          >
            <For each={rates}>{(one) => <option value={one}>{one}×</option>}</For>
          </select>
          <button type="button" class="second small" onClick={() => setBeginMs(undefined)}>
            Live
          </button>
        </Show>
      </div>
      <StateReason state={spokenState(props.camera, props.events.states)} nowMs={nowMs()} />
      <For each={state()?.warnings ?? []}>{(warning) => <p class="reason">{warning}</p>}</For>
      <div class="stage" classList={{ moved: onvif()?.features.ptz != null }}>
        <Show
          when={isLive()}
          fallback={
            <RecordedPlayer
              url={recordedAddress()}
              rate={rate()}
              onPlaying={setPlayingMs}
              onSize={setSize}
              controls={(own) => {
                controls = own;
              }}
              onEnded={() => {
                const at = playingMs();
                if (at !== undefined && at < Date.now() - 10_000) setBeginMs(Math.floor(at) + 1);
                else setBeginMs(undefined);
              }}
            />
          }
        >
          <LivePlayer
            streamId={chosenStreamId()}
            hlsQuery={liveQuery()}
            isLive={shownState()?.state === 'live'}
            awayWords={awayWords(props.camera, shownState())}
            isConnected={props.events.isConnected()}
            videoCodec={codecOf(shownState()?.tracks)}
            hasSound={(state()?.tracks ?? []).some(({ codec }) => audioCodecs.has(codec))}
            onPlaying={setPlayingMs}
            onSize={setSize}
          />
        </Show>
        <Show when={may('cameras:control') && onvif()?.features.ptz}>
          {(ptz) => <MoveCamera cameraId={props.camera.id} ptz={ptz()} />}
        </Show>
      </div>
      <TimelinePanel
        streamId={streamId()}
        cameraName={props.camera.name}
        nowMs={nowMs()}
        playingMs={playingMs()}
        isLive={isLive()}
        marks={marks()}
        isConversionOffered={(state()?.tracks ?? []).some(({ codec }) => !canPlayCodec(codec))}
        onSeek={playFrom}
        onLive={() => setBeginMs(undefined)}
        onView={setView}
      />
      <nav class="tabs" aria-label="About the camera">
        <For each={parts.filter(({ action }) => may(action)).map(({ name }) => name)}>
          {(one) => (
            <button type="button" aria-current={part() === one ? 'page' : undefined} onClick={() => setPart(one)}>
              {one}
            </button>
          )}
        </For>
      </nav>
      <Switch>
        <Match when={part() === 'Health'}>
          <CameraHealth camera={props.camera} events={props.events} nowMs={nowMs()} onSeek={playFrom} />
        </Match>
        <Match when={part() === 'Settings'}>
          <CameraSettings camera={props.camera} onvif={onvif()} onChanged={props.onChanged} />
        </Match>
        <Match when={part() === 'Import'}>
          <ImportFiles camera={props.camera} />
        </Match>
      </Switch>
    </>
  );
}
