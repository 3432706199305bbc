/** How a source is recorded and for how long it is kept: part of the forms of cameras. */

import { Show } from 'solid-js';
import type { Recording, RecordingMode } from '../api.ts';

const modes: readonly { readonly mode: RecordingMode; readonly text: string }[] = [
  { mode: 'continuous', text: 'Always' },
  { mode: 'events', text: 'Around events only' },
  { mode: 'live', text: 'Not at all, live only' },
];

export function RecordingFields(props: {
  readonly recording: Recording;
  readonly onChange: (change: Partial<Recording>) => void;
}) {
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
            disabled={props.recording.mode !== 'continuous'}
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
            disabled={props.recording.mode === 'live'}
            value={props.recording.eventRetentionHours === null ? '' : days(props.recording.eventRetentionHours)}
            onChange={(event) => {
              const value = event.currentTarget.valueAsNumber;
              props.onChange({ eventRetentionHours: Number.isNaN(value) ? null : Math.max(1, Math.round(value * 24)) });
            }}
          />
        </label>
      </div>
      <Show when={props.recording.mode === 'events'}>
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
    </>
  );
}
