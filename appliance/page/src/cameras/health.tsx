/** How a camera did in the last hours: what it sent, what was lost, why something is missing, and its clock. */

import { createMemo, createResource, createSignal, For, onCleanup, Show } from 'solid-js';
import { type Camera, call, type Gap, type SourceState, type Timeline } from '../api.ts';
import type { Events } from '../events.ts';
import { sentence } from '../fault.tsx';
import { bitrateText, dayTimeText, durationText } from '../format.ts';
import { Chart } from '../frame/chart.tsx';
import { stateOf, subStateOf } from './state.tsx';

type Values = readonly (number | null)[];
type StreamHealth = {
  readonly streamId: string;
  readonly role: 'main' | 'sub';
  readonly beginMs: number;
  readonly bitsPerSecond: Values;
  readonly framesPerSecond: Values;
  readonly packetsLost: Values;
  readonly clockOffsetMs: Values;
  readonly clockDriftPpm: Values;
};
type Health = { readonly periodMs: number; readonly streams: readonly StreamHealth[] };
type Figure = 'bitsPerSecond' | 'framesPerSecond' | 'packetsLost' | 'clockOffsetMs';

const hoursOffered = [0.5, 2, 6] as const;
const readPeriodMs = 10_000;
const gapsSpanMs = 24 * 3_600_000;
const gapsShownMax = 12;
const colours = { main: '--accent', sub: '--mark' } as const;

export function CameraHealth(props: {
  readonly camera: Camera;
  readonly events: Events;
  readonly nowMs: number;
  readonly onSeek: (atMs: number) => void;
}) {
  const [hours, setHours] = createSignal<number>(0.5);
  const streamId = () => props.camera.streams[0]?.id ?? '';
  const [health, { refetch: again }] = createResource(
    () => ({ cameraId: props.camera.id, hours: hours() }),
    (asked) => call<Health>('GET', `/api/cameras/${asked.cameraId}/health?hours=${asked.hours}`),
  );
  const [gaps, { refetch: gapsAgain }] = createResource(streamId, async (id) => {
    const endMs = Date.now();
    const path = `/api/streams/${id}/timeline?begin=${endMs - gapsSpanMs}&end=${endMs}&resolutionMs=1000`;
    return (await call<Timeline>('GET', path)).gaps;
  });
  const timer = setInterval(() => {
    if (document.hidden) return;
    void again();
    void gapsAgain();
  }, readPeriodMs);
  onCleanup(() => clearInterval(timer));

  const known = () => (health.state === 'errored' ? undefined : health.latest);
  const recentGaps = () => (gaps.state === 'errored' ? [] : (gaps.latest ?? []));
  const timesMs = createMemo(() => {
    const first = known()?.streams[0];
    return first?.bitsPerSecond.map((_, i) => first.beginMs + i * (known()?.periodMs ?? 0)) ?? [];
  });
  const lines = (figure: Figure, roles: readonly ('main' | 'sub')[] = ['main', 'sub']) => {
    const beginMs = known()?.streams[0]?.beginMs ?? 0;
    const count = timesMs().length;
    return (known()?.streams ?? [])
      .filter(({ role }) => roles.includes(role))
      .map((stream) => {
        // Streams may have begun at different times.
        const shift = Math.round((stream.beginMs - beginMs) / (known()?.periodMs ?? 1));
        const values = Array.from({ length: count }, (_, i) => stream[figure][i - shift] ?? null);
        return { label: stream.role, colour: colours[stream.role], values };
      });
  };
  const bitrate = createMemo(() => lines('bitsPerSecond'));
  const frames = createMemo(() => lines('framesPerSecond'));
  const offset = createMemo(() => lines('clockOffsetMs'));
  const hasClock = () => offset().some(({ values }) => values.some((value) => value !== null));
  const lost = () =>
    lines('packetsLost').reduce((sum, { values }) => sum + values.reduce<number>((a, b) => a + (b ?? 0), 0), 0);

  return (
    <section class="stack">
      <div class="title">
        <div class="choice">
          <For each={hoursOffered}>
            {(one) => (
              <button type="button" aria-pressed={hours() === one} onClick={() => setHours(one)}>
                {durationText(one * 3_600_000)}
              </button>
            )}
          </For>
        </div>
        <span class="quiet">
          {lost() === 0 ? 'No packet was lost on the way.' : `${lost().toLocaleString()} packets were lost.`}
        </span>
      </div>
      <Show
        when={timesMs().length > 1}
        fallback={<p class="card quiet">Figures come every ten seconds, and begin when the appliance starts.</p>}
      >
        <div class="charts">
          <Chart
            title="Bitrate"
            group="health"
            isFromZero
            timesMs={timesMs()}
            lines={bitrate()}
            gaps={recentGaps()}
            reachMin={100_000}
            text={bitrateText}
          />
          <Chart
            title="Frames a second, picture and sound"
            group="health"
            isFromZero
            timesMs={timesMs()}
            lines={frames()}
            gaps={recentGaps()}
            text={(value) => value.toFixed(value > 0 && value < 10 ? 1 : 0)}
          />
          <Show when={hasClock()}>
            <Chart
              title="Camera's clock against ours"
              group="health"
              isFromZero={false}
              timesMs={timesMs()}
              lines={offset()}
              gaps={recentGaps()}
              text={(value) => `${Math.round(value)} ms`}
            />
          </Show>
        </div>
      </Show>
      <div class="columns">
        <Gaps gaps={recentGaps()} onSeek={props.onSeek} />
        <Now camera={props.camera} events={props.events} />
      </div>
    </section>
  );
}

function Gaps(props: { readonly gaps: readonly Gap[]; readonly onSeek: (atMs: number) => void }) {
  const newest = () => props.gaps.toReversed().slice(0, gapsShownMax);
  return (
    <section class="card">
      <h2>Gaps of the last 24 hours</h2>
      <Show when={props.gaps.length > 0} fallback={<p class="quiet">None: not a second is missing.</p>}>
        <div class="scroll">
          <table class="gaps">
            <tbody>
              <For each={newest()}>
                {(gap) => (
                  <tr>
                    <td class="number">
                      <button
                        type="button"
                        class="plain small"
                        title="Play the seconds before it"
                        onClick={() => props.onSeek(gap.beginMs - 5_000)}
                      >
                        {dayTimeText(gap.beginMs)}
                      </button>
                    </td>
                    <td class="number">{durationText(gap.endMs - gap.beginMs)}</td>
                    <td>
                      <Show when={gap.help} fallback={sentence(gap.text)}>
                        {(help) => (
                          <a class="link" href={help()} target="_blank" rel="noopener">
                            {sentence(gap.text)}
                          </a>
                        )}
                      </Show>
                      <Show when={gap.detail}>{(detail) => <div class="quiet">{sentence(detail())}</div>}</Show>
                    </td>
                  </tr>
                )}
              </For>
            </tbody>
          </table>
        </div>
      </Show>
      <Show when={props.gaps.length > gapsShownMax}>
        <p class="quiet">and {props.gaps.length - gapsShownMax} earlier ones</p>
      </Show>
    </section>
  );
}

function Now(props: { readonly camera: Camera; readonly events: Events }) {
  const state = () => stateOf(props.camera, props.events.states);
  const subState = () => subStateOf(props.camera, props.events.states);
  return (
    <section class="card facts">
      <h2>Now</h2>
      <dl>
        <dt>Sends</dt>
        <dd>
          <For each={state()?.tracks ?? []} fallback="nothing yet">
            {(track) => <div>{track.text}</div>}
          </For>
        </dd>
        <Show when={props.camera.sub}>
          <dt>Sub source</dt>
          <dd>
            <For each={subState()?.tracks ?? []}>{(track) => <div>{track.text}</div>}</For>
            <div class="quiet">{subText(subState())}</div>
          </dd>
        </Show>
        <dt>Camera clock</dt>
        <dd>{clockText(state())}</dd>
      </dl>
    </section>
  );
}

function clockText(state: SourceState | undefined): string {
  const offsetMs = state?.clockOffsetMs;
  if (offsetMs == null) return 'not told by the camera';
  const place = `${durationText(Math.abs(offsetMs))} ${offsetMs < 0 ? 'behind' : 'ahead of'} the appliance`;
  const driftPpm = state?.clockDriftPpm;
  if (driftPpm == null) return place;
  // A million millionths of a day are a day.
  return `${place}, ${driftPpm < 0 ? 'losing' : 'gaining'} ${durationText(Math.abs(driftPpm) * 86.4)} a day`;
}

function subText(state: SourceState | undefined): string {
  if (state === undefined) return 'unknown';
  if (state.state !== 'live') return `${state.state}: ${state.message ?? ''}`;
  const { mainOffsetMs, isRecording } = state;
  const place =
    mainOffsetMs == null
      ? ''
      : `, ${Math.round(Math.abs(mainOffsetMs))} ms ${mainOffsetMs < 0 ? 'before' : 'behind'} the main source`;
  return `${isRecording ? 'recording' : 'live'}${place}`;
}
