/** How a source is recorded and for how long it is kept: part of the forms of cameras. */

import { Show } from 'solid-js';
import type { Recording, RecordingMode } from '../api.ts';
import { ScheduleTable } from './schedule.tsx';

const modes: readonly { readonly mode: RecordingMode; readonly text: string }[] = [
  { mode: 'continuous', text: 'Always' },
  { mode: 'events', text: 'Around events only' },
  { mode: 'live', text: 'Not at all, live only' },
];

export function RecordingFields(props: {
  readonly recording: Recording;
  readonly onChange: (change: Partial<Recording>) => void;
}) {
  /** Modes that hold at some hour of the week. */
  const modesOfWeek = () =>
    new Set([props.recording.mode, ...(props.recording.schedule?.spans.map(({ mode }) => mode) ?? [])]);
  const days = (hours: number) => Math.round((hours / 24) * 100) / 100;
  return (
    <>
      <div class="row">
        <label>
          Record
          <select
            name="mode"
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
            name="days"
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
            name="event-days"
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
            name="pre-roll"
            type="number"
            min="1"
            max="1440"
            value={props.recording.preRollMinutes}
            onChange={(event) => props.onChange({ preRollMinutes: event.currentTarget.valueAsNumber || 10 })}
          />
        </label>
      </Show>
      <ScheduleTable
        schedule={props.recording.schedule}
        mode={props.recording.mode}
        onChange={(schedule) => props.onChange({ schedule })}
      />
    </>
  );
}
