/** How long a camera's footage is kept, main and sub, changed in place: the ages that count as it records. */

import { For, Show } from 'solid-js';
import type { Camera, Recording } from '../api.ts';
import { daysToHours, type KeptAge, keptAges } from './kept-ages.ts';

export function KeptDays(props: {
  readonly camera: Camera;
  readonly canChange: boolean;
  /** A change of the camera, as PATCH takes it. */
  readonly onChange: (change: object) => void;
}) {
  const sub = () => props.camera.sub?.recording;
  const isNothingKept = () =>
    [props.camera.recording, sub()].every((one) => one === undefined || keptAges(one).length === 0);
  return (
    <Show when={!isNothingKept()} fallback="live only">
      <div class="ages">
        <Ages
          of={props.camera.name}
          isSub={false}
          recording={props.camera.recording}
          canChange={props.canChange}
          onChange={(recording) => props.onChange({ recording })}
        />
        <Show when={sub()}>
          {(recording) => (
            <Ages
              of={`the sub stream of ${props.camera.name}`}
              isSub={true}
              recording={recording()}
              canChange={props.canChange}
              onChange={(change) => props.onChange({ sub: { recording: change } })}
            />
          )}
        </Show>
      </div>
    </Show>
  );
}

function Ages(props: {
  readonly of: string;
  readonly isSub: boolean;
  readonly recording: Recording;
  readonly canChange: boolean;
  readonly onChange: (recording: Partial<Recording>) => void;
}) {
  const age = (setting: KeptAge['setting']) => keptAges(props.recording).find((one) => one.setting === setting);
  const title = ({ word }: KeptAge) => {
    if (word === 'everything') return 'At that age goes what is recorded always';
    const { preRollMinutes } = props.recording;
    return `At that age goes what an event marks; where only events are kept, the rest after ${preRollMinutes} min`;
  };
  // By setting, so that a field keeps the focus when what stands in it changes.
  return (
    <For each={keptAges(props.recording).map(({ setting }) => setting)}>
      {(setting) => (
        <Show when={age(setting)}>
          {(one) => (
            <label title={title(one())}>
              <Show when={props.canChange} fallback={days(one().hours)}>
                <input
                  class="small amount"
                  type="number"
                  min="0.05"
                  max="3650"
                  step="any"
                  aria-label={
                    one().word === 'events'
                      ? `Days that events of ${props.of} are kept`
                      : `Days that ${props.of} is kept`
                  }
                  value={days(one().hours)}
                  onChange={(event) => {
                    const hours = daysToHours(event.currentTarget.valueAsNumber);
                    // An emptied field is no wish to lose all but the last hour.
                    if (hours === undefined) event.currentTarget.value = String(days(one().hours));
                    else props.onChange({ [setting]: hours });
                  }}
                />
              </Show>
              <span class="quiet">
                {props.isSub ? 'sub, ' : ''}
                {one().word}
              </span>
            </label>
          )}
        </Show>
      )}
    </For>
  );
}

function days(hours: number): number {
  return Math.round((hours / 24) * 100) / 100;
}
