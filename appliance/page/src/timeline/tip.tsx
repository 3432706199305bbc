/** What lies under the pointer: when, whether it is recorded, why not, and a picture cut from the footage. */

import { createEffect, createSignal, For, Match, on, onCleanup, Show, Switch } from 'solid-js';
import type { Absence, Gap } from '../api.ts';
import { sentence } from '../fault.tsx';
import { clockText, dayText, durationText } from '../format.ts';
import type { DayBar, Mark } from './footage.ts';

/** A pointer on its way over the line asks for nothing. */
const restMs = 140;
const widthPixels = 224;

export type Under =
  | { readonly is: 'future' | 'nothing' }
  | { readonly is: 'recorded'; readonly marks: readonly Mark[] }
  | { readonly is: 'gap'; readonly gap: Gap }
  | { readonly is: 'absent'; readonly absence: Absence }
  | { readonly is: 'day'; readonly day: DayBar };

export function Tip(props: {
  readonly x: number;
  readonly width: number;
  readonly atMs: number;
  readonly under: Under;
  readonly streamId: string;
  /** Instants nearer than this share a picture. */
  readonly stepMs: number;
}) {
  const left = () => Math.min(props.width - widthPixels / 2 - 8, Math.max(widthPixels / 2 + 8, props.x));
  const gap = () => (props.under.is === 'gap' ? props.under.gap : undefined);
  const absence = () => (props.under.is === 'absent' ? props.under.absence : undefined);
  const day = () => (props.under.is === 'day' ? props.under.day : undefined);
  const marks = () => (props.under.is === 'recorded' ? props.under.marks : []);
  return (
    <div class="tip" style={{ left: `${left()}px`, width: `${widthPixels}px` }}>
      <Show when={props.under.is === 'recorded'}>
        <Preview streamId={props.streamId} atMs={Math.floor(props.atMs / props.stepMs) * props.stepMs} />
      </Show>
      <strong class="numbers">
        {dayText(props.atMs)}
        <Show when={day() === undefined}> {clockText(props.atMs)}</Show>
      </strong>
      <Switch>
        <Match when={props.under.is === 'future'}>
          <span class="quiet">not yet</span>
        </Match>
        <Match when={props.under.is === 'nothing'}>
          <span class="quiet">not recorded</span>
        </Match>
        <Match when={gap()}>
          {(one) => (
            <>
              <span class="why">
                Gap of {durationText(one().endMs - one().beginMs)}: {sentence(one().text)}
              </span>
              <Show when={one().detail}>{(detail) => <span class="quiet">{sentence(detail())}</span>}</Show>
            </>
          )}
        </Match>
        <Match when={absence()}>
          {(one) => (
            <>
              <span>{sentence(one().text)}</span>
              <Show when={one().removedMs}>
                {(removedMs) => (
                  <span class="quiet numbers">
                    Gone since {dayText(removedMs())} {clockText(removedMs())}
                  </span>
                )}
              </Show>
            </>
          )}
        </Match>
        <Match when={day()}>{(one) => <DayFacts day={one()} />}</Match>
      </Switch>
      <For each={marks()}>{(mark) => <span class="markword">{mark.detail ?? mark.kind}</span>}</For>
    </div>
  );
}

function DayFacts(props: { readonly day: DayBar }) {
  const byLength = (parts: Readonly<Record<string, number>>) => Object.entries(parts).sort(([, a], [, b]) => b - a);
  const absences = () => [...byLength(props.day.removedMsByText), ...byLength(props.day.pausedMsByText)];
  const isRemoved = () => Object.keys(props.day.removedMsByText).length > 0;
  const recordedText = () => {
    if (props.day.recordedMs > 0) return `${durationText(props.day.recordedMs)} recorded`;
    return isRemoved() ? 'nothing is left' : 'nothing recorded';
  };
  return (
    <>
      <span>{recordedText()}</span>
      <For each={byLength(props.day.gapMsByReason)}>
        {([reason, missingMs]) => (
          <span class="why">
            {durationText(missingMs)} missing: {reason.replaceAll('-', ' ')}
          </span>
        )}
      </For>
      <For each={absences()}>
        {([text, absentMs]) => (
          <span class="quiet">
            {durationText(absentMs)} {text}
          </span>
        )}
      </For>
    </>
  );
}

function Preview(props: { readonly streamId: string; readonly atMs: number }) {
  const [address, setAddress] = createSignal<string>();
  const [isShown, setShown] = createSignal(false);
  createEffect(
    on(
      () => `/api/streams/${props.streamId}/image.jpg?at=${props.atMs}&width=${widthPixels * 2}`,
      (next) => {
        const timer = setTimeout(() => setAddress(next), restMs);
        onCleanup(() => clearTimeout(timer));
      },
    ),
  );
  return (
    <div class="picture">
      <Show when={address()}>
        {(src) => (
          <img
            src={src()}
            alt=""
            classList={{ absent: !isShown() }}
            onLoad={() => setShown(true)}
            onError={() => setShown(false)}
          />
        )}
      </Show>
    </div>
  );
}
