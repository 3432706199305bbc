/** Which cameras are on the wall: all of them, or some in the order in which they were chosen. */

import { For } from 'solid-js';
import type { Camera } from '../api.ts';

export function WallChoice(props: {
  readonly cameras: readonly Camera[];
  /** Undefined is all. */
  readonly chosen: readonly string[] | undefined;
  readonly onChoose: (chosen: readonly string[] | undefined) => void;
}) {
  const isChosen = (id: string) => props.chosen?.includes(id) === true;
  const toggle = (id: string) => {
    const known = props.chosen ?? [];
    const next = known.includes(id) ? known.filter((one) => one !== id) : [...known, id];
    props.onChoose(next.length === 0 ? undefined : next);
  };
  return (
    <>
      <button type="button" class="second small" popovertarget="wallchoice">
        {props.chosen === undefined ? 'All cameras' : `${props.chosen.length} chosen`}
      </button>
      <div id="wallchoice" class="wallchoice" popover="auto">
        <p class="quiet">Cameras on the wall, in the order in which they are chosen.</p>
        <label class="check">
          <input
            type="checkbox"
            checked={props.chosen === undefined}
            onChange={(event) => {
              // Unchecked alone it would mean nothing.
              event.currentTarget.checked = true;
              props.onChoose(undefined);
            }}
          />
          All cameras
        </label>
        <div class="cameras">
          <For each={props.cameras}>
            {(camera) => (
              <label class="check">
                <input type="checkbox" checked={isChosen(camera.id)} onChange={() => toggle(camera.id)} />
                <span class="name">{camera.name}</span>
                <span class="numbers quiet">
                  {isChosen(camera.id) ? (props.chosen?.indexOf(camera.id) ?? 0) + 1 : ''}
                </span>
              </label>
            )}
          </For>
        </div>
      </div>
    </>
  );
}
