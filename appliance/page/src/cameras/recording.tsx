/** How a source is recorded and for how long it is kept: part of the forms of cameras. */

import { createEffect, Show } from 'solid-js';
import type { Recording, RecordingMode } from '../api.ts';
import { ScheduleTable } from './schedule.tsx';

const modes: readonly { readonly mode: RecordingMode; readonly text: string }[] = [
  { mode: 'continuous', text: 'Always' },
  { mode: 'events', text: 'Around events' },
  { mode: 'live', text: 'Live only' },
];

export function RecordingFields(props: {
  /** The sub source's fields have names of their own, and its schedule is folded away while there is none. */
  readonly of: 'main' | 'sub';
  readonly recording: Recording;
  readonly onChange: (change: Partial<Recording>) => void;
}) {
  /** Modes that hold at some hour of the week. */
  const modesOfWeek = () =>
    new Set([props.recording.mode, ...(props.recording.schedule?.spans.map(({ mode }) => mode) ?? [])]);
  const name = (field: string) => (props.of === 'main' ? field : `sub-${field}`);
  const days = (hours: number) => Math.round((hours / 24) * 100) / 100;
  return (
    <>
      <div class="row">
        <label>
          Record
          <select
            name={name('mode')}
            value={props.recording.mode}
            onChange={(event) => props.onChange({ mode: event.currentTarget.value as RecordingMode })}
          >
            {modes.map(({ mode, text }) => (
              <option value={mode}>{text}</option>
            ))}
          </select>
        </label>
        <label>
          Keep for (days)
          <input
            name={name('days')}
            type="number"
            min="0.05"
            max="3650"
            step="any"
            disabled={!modesOfWeek().has('continuous')}
            value={days(props.recording.retentionHours)}
            onChange={(event) =>
              props.onChange({ retentionHours: Math.max(1, Math.round((event.currentTarget.valueAsNumber || 1) * 24)) })
            }
          />
        </label>
        <label>
          Keep events for (days)
          <input
            name={name('event-days')}
            type="number"
            min="0.05"
            max="3650"
            step="any"
            placeholder="as the rest"
            disabled={!modesOfWeek().has('continuous') && !modesOfWeek().has('events')}
            value={props.recording.eventRetentionHours === null ? '' : days(props.recording.eventRetentionHours)}
            onChange={(event) => {
              const value = event.currentTarget.valueAsNumber;
              props.onChange({ eventRetentionHours: Number.isNaN(value) ? null : Math.max(1, Math.round(value * 24)) });
            }}
          />
        </label>
      </div>
      <Show when={modesOfWeek().has('events')}>
        <label>
          Keep what no event marks for (minutes)
          <input
            name={name('pre-roll')}
            type="number"
            min="1"
            max="1440"
            value={props.recording.preRollMinutes}
            onChange={(event) => props.onChange({ preRollMinutes: event.currentTarget.valueAsNumber || 10 })}
          />
        </label>
      </Show>
      <Show when={props.of === 'sub'} fallback={<Schedule {...props} />}>
        <FoldedSchedule {...props} />
      </Show>
    </>
  );
}

type RecordingProps = Parameters<typeof RecordingFields>[0];

function Schedule(props: RecordingProps) {
  return (
    <ScheduleTable
      title={props.of === 'main' ? 'Weekly schedule' : 'Weekly schedule of the smaller picture'}
      isTitleHidden={props.of === 'sub'}
      schedule={props.recording.schedule}
      mode={props.recording.mode}
      onChange={(schedule) => props.onChange({ schedule })}
    />
  );
}

/** Two tables of a week are much to scroll over: it opens by itself when it says something. */
function FoldedSchedule(props: RecordingProps) {
  let details: HTMLDetailsElement | undefined;
  createEffect(() => {
    if (props.recording.schedule !== null && details !== undefined) details.open = true;
  });
  return (
    <details
      ref={(element) => {
        details = element;
      }}
    >
      <summary>Weekly schedule</summary>
      <Schedule {...props} />
    </details>
  );
}
