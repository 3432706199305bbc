/** One camera: live or recorded picture, the day's timeline, what it sends, export of a range, removal. */

import { createEffect, createMemo, createResource, createSignal, For, on, onCleanup, Show } from 'solid-js';
import { ApiError, type ApiFault, type Camera, type CameraSource, call, faultOf, type Timeline } from '../api.ts';
import type { Events } from '../events.ts';
import { Fault } from '../fault.tsx';
import { clockText, dayName, dayText, durationText, midnight, zone } from '../format.ts';
import { Player } from '../player/player.tsx';
import { ManagedBadge, StateBadge, StateReason, stateOf } from './state.tsx';
import { DayTimeline } from './timeline.tsx';

const timelinePeriodMs = 5_000;
/** A recorded playlist reaches so far beyond the chosen instant; the next one is loaded when it ends. */
const playMs = 60 * 60_000;

export function CameraView(props: {
  readonly camera: Camera;
  readonly events: Events;
  readonly onChanged: () => void;
}) {
  const streamId = () => props.camera.streams[0]?.id ?? '';
  const state = () => stateOf(props.camera, props.events.states);
  const subText = () => {
    const sub = props.camera.sub;
    const streamId = props.camera.streams.find((stream) => stream.role === 'sub')?.id;
    const subState = (streamId === undefined ? undefined : props.events.states[streamId]) ?? sub?.state;
    if (subState == null) return 'unknown';
    if (subState.state !== 'live') return `${subState.state}: ${subState.message ?? ''}`;
    const { mainOffsetMs, isRecording } = subState;
    const place =
      mainOffsetMs == null
        ? ''
        : `, ${Math.round(Math.abs(mainOffsetMs))} ms ${mainOffsetMs < 0 ? 'before' : 'behind'} the main source`;
    return `${isRecording ? 'recording' : 'live'}${place}`;
  };
  const [nowMs, setNowMs] = createSignal(Date.now());
  const [dayMs, setDayMs] = createSignal(midnight(Date.now()));
  /** Undefined is live. */
  const [beginMs, setBeginMs] = createSignal<number>();
  const [playingMs, setPlayingMs] = createSignal<number>();
  const [range, setRange] = createSignal<{ beginMs: number; endMs: number }>();
  const [fault, setFault] = createSignal<ApiFault>();

  const timer = setInterval(() => setNowMs(Date.now()), timelinePeriodMs);
  onCleanup(() => clearInterval(timer));
  createEffect(
    on(
      () => props.camera.id,
      () => {
        setBeginMs(undefined);
        setRange(undefined);
      },
      { defer: true },
    ),
  );

  const dayEndMs = () => midnight(dayMs(), 1);
  const [timeline] = createResource(
    () => ({ streamId: streamId(), beginMs: dayMs(), endMs: Math.min(dayEndMs(), nowMs() + timelinePeriodMs) }),
    (asked) =>
      asked.endMs <= asked.beginMs
        ? { spans: [], gaps: [] }
        : call<Timeline>('GET', `/api/streams/${asked.streamId}/timeline?begin=${asked.beginMs}&end=${asked.endMs}`),
  );
  const isToday = () => dayMs() === midnight(nowMs());

  const address = createMemo(() => {
    const at = beginMs();
    const base = `/api/streams/${streamId()}/hls/master.m3u8`;
    return at === undefined ? base : `${base}?begin=${at}&end=${Math.min(at + playMs, Date.now())}`;
  });
  const playFrom = (atMs: number) => setBeginMs(Math.floor(atMs));
  const showDay = (byDays: number) => setDayMs(midnight(dayMs(), byDays));

  const remove = async () => {
    if (!confirm(`Remove ${props.camera.name}? Its recordings stay until their retention ends.`)) return;
    try {
      await call('DELETE', `/api/cameras/${props.camera.id}`);
      location.hash = '#/';
      props.onChanged();
    } catch (error) {
      setFault(faultOf(error));
    }
  };

  return (
    <>
      <div class="title">
        <h1>{props.camera.name}</h1>
        <StateBadge camera={props.camera} state={state()} />
        <ManagedBadge camera={props.camera} />
        <span class="grow" />
        <button type="button" class="second" disabled={beginMs() === undefined} onClick={() => setBeginMs(undefined)}>
          Live
        </button>
      </div>
      <StateReason state={state()} nowMs={nowMs()} />
      <For each={state()?.warnings ?? []}>{(warning) => <p class="reason">{warning}</p>}</For>
      <Player
        url={address()}
        isLive={beginMs() === undefined}
        onPlaying={setPlayingMs}
        onEnded={() => {
          const at = playingMs();
          if (at !== undefined && at < Date.now() - 10_000) playFrom(at + 1);
          else setBeginMs(undefined);
        }}
      />
      <div class="title">
        <button type="button" class="plain" aria-label="Day before" onClick={() => showDay(-1)}>
          ◀
        </button>
        <input
          type="date"
          value={dayName(dayMs())}
          max={dayName(nowMs())}
          onChange={(event) => {
            const date = new Date(`${event.currentTarget.value}T00:00`);
            if (!Number.isNaN(date.getTime())) setDayMs(date.getTime());
          }}
        />
        <button type="button" class="plain" aria-label="Day after" disabled={isToday()} onClick={() => showDay(1)}>
          ▶
        </button>
        <span class="quiet">
          {dayText(dayMs())}, {zone}
        </span>
        <span class="grow" />
        <Show when={playingMs()}>
          {(at) => (
            <span class="clock">
              {dayText(at())} {clockText(at())}
            </span>
          )}
        </Show>
      </div>
      <Fault fault={timeline.error instanceof ApiError ? timeline.error.fault : fault()} />
      <DayTimeline
        beginMs={dayMs()}
        endMs={dayEndMs()}
        nowMs={nowMs()}
        timeline={timeline.latest}
        playingMs={playingMs()}
        range={range()}
        onSeek={playFrom}
        onRange={setRange}
      />
      <div class="title">
        <Show
          when={range()}
          fallback={
            <span class="quiet">Click the timeline to play from there, drag over it to choose a range to export.</span>
          }
        >
          {(chosen) => (
            <>
              <span>
                {clockText(chosen().beginMs)} to {clockText(chosen().endMs)} (
                {durationText(chosen().endMs - chosen().beginMs)})
              </span>
              <a
                class="button"
                download={`${props.camera.name} ${dayName(chosen().beginMs)} ${clockText(chosen().beginMs).replaceAll(':', '-')}.mp4`}
                href={`/api/streams/${streamId()}/clip.mp4?begin=${Math.floor(chosen().beginMs)}&end=${Math.ceil(chosen().endMs)}`}
              >
                Download MP4
              </a>
              <button type="button" class="plain" onClick={() => setRange(undefined)}>
                Clear
              </button>
            </>
          )}
        </Show>
      </div>
      <section class="card facts">
        <h2>Source</h2>
        <dl>
          <dt>Address</dt>
          <dd>{sourceText(props.camera.source)}</dd>
          <Show when={props.camera.sub}>
            {(sub) => (
              <>
                <dt>Sub source</dt>
                <dd>
                  {sourceText(sub().source)}
                  <div class="quiet">{subText()}</div>
                </dd>
              </>
            )}
          </Show>
          <dt>Tracks</dt>
          <dd>
            <For each={state()?.tracks ?? []} fallback="none yet">
              {(track) => <div>{track.text}</div>}
            </For>
          </dd>
          <dt>Camera clock</dt>
          <dd>
            {state()?.clockOffsetMs == null
              ? 'not told by the camera'
              : `${durationText(Math.abs(state()?.clockOffsetMs ?? 0))} ${(state()?.clockOffsetMs ?? 0) < 0 ? 'behind' : 'ahead of'} the appliance`}
          </dd>
          <dt>Kept for</dt>
          <dd>
            {props.camera.recording.mode === 'live'
              ? 'live only'
              : durationText(props.camera.recording.retentionHours * 3_600_000)}
          </dd>
        </dl>
        <Show when={props.camera.managedBy}>
          {(site) => (
            <p class="quiet">
              The site file "{site()}" manages this camera: change it there, since the next <code>weir apply</code>{' '}
              overwrites what is changed here, and brings the camera back when it is removed.
            </p>
          )}
        </Show>
        <button type="button" class="danger" onClick={() => void remove()}>
          Remove camera
        </button>
      </section>
    </>
  );
}

function sourceText(source: CameraSource): string {
  return source.kind === 'rtmp' ? 'publishes by RTMP' : `${source.url} (${source.transport.toUpperCase()})`;
}
