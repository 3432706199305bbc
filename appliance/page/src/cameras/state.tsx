/** A camera's state in one word and one sentence. */

import { Show } from 'solid-js';
import type { Camera, SourceState } from '../api.ts';
import { sentence } from '../fault.tsx';
import { longText } from '../format.ts';

/** The newest state: what the WebSocket told, else what the list said. */
export function stateOf(camera: Camera, states: Readonly<Record<string, SourceState>>): SourceState | undefined {
  const streamId = camera.streams[0]?.id;
  return (streamId === undefined ? undefined : states[streamId]) ?? camera.state ?? undefined;
}

/** Of the sub source, where there is one. */
export function subStateOf(camera: Camera, states: Readonly<Record<string, SourceState>>): SourceState | undefined {
  const streamId = camera.streams.find((stream) => stream.role === 'sub')?.id;
  return (streamId === undefined ? undefined : states[streamId]) ?? camera.sub?.state ?? undefined;
}

/** Whose words to show: the main source's, unless it is well and the sub source is not. */
export function spokenState(camera: Camera, states: Readonly<Record<string, SourceState>>): SourceState | undefined {
  const main = stateOf(camera, states);
  const sub = subStateOf(camera, states);
  if (main?.message != null || sub?.message == null) return main;
  return { ...sub, message: `its smaller picture: ${sub.message}` };
}

export function stateWord(camera: Camera, state: SourceState | undefined): string {
  if (!camera.isEnabled) return 'disabled';
  if (state === undefined) return 'unknown';
  if (state.state === 'live') return state.isRecording ? 'recording' : 'live';
  return isAwaited(camera, state) ? 'waiting' : state.state;
}

/** Nothing is sent by somebody who comes to us when it likes. */
function isAwaited(camera: Camera, state: SourceState): boolean {
  if (state.state === 'idle') return isUnbidden(camera, state);
  return state.state === 'retrying' && state.reason === 'no-publisher';
}

/** A KVS producer sends when it likes: that none is connected is as it should be. Publishers are missed. */
function isUnbidden(camera: Camera, state: SourceState): boolean {
  const { role } = camera.streams.find(({ id }) => id === state.streamId) ?? { role: 'main' };
  return (role === 'main' ? camera.source : camera.sub?.source)?.kind === 'kvs';
}

/** Why there is no picture, while that is known. */
export function awayWords(camera: Camera, state: SourceState | undefined): string | undefined {
  if (!camera.isEnabled) return 'The camera is disabled';
  if (state === undefined || state.state === 'live' || state.state === 'connecting') return undefined;
  if (isAwaited(camera, state)) return 'Nobody sends to this camera just now';
  if (state.state === 'idle') return undefined;
  return state.state === 'stopped' ? 'The camera is not connected' : 'The camera is away';
}

/** Not well, or nobody can say; a disabled camera is as it should be. */
export function isInTrouble(camera: Camera, state: SourceState | undefined): boolean {
  if (!camera.isEnabled || (state?.state === 'idle' && isUnbidden(camera, state))) return false;
  return state === undefined || state.state === 'retrying' || state.state === 'stopped' || state.message != null;
}

export function StateBadge(props: { readonly camera: Camera; readonly state: SourceState | undefined }) {
  const word = () => stateWord(props.camera, props.state);
  return <span class={`badge ${word()}`}>{word()}</span>;
}

/** Why the camera is not well and what to do; nothing while it is. */
export function StateReason(props: { readonly state: SourceState | undefined; readonly nowMs: number }) {
  return (
    <Show when={props.state?.message}>
      {(message) => (
        <p
          class="reason"
          classList={{ calm: props.state?.state === 'idle' }}
          title={[message(), props.state?.hint ?? ''].map(sentence).join(' ')}
        >
          {sentence(message())} <Show when={props.state?.hint}>{(hint) => <>{sentence(hint())}</>}</Show>{' '}
          <Show when={props.state?.sinceMs}>
            {(sinceMs) => <span class="quiet">For {longText(Math.max(1_000, props.nowMs - sinceMs()))}.</span>}
          </Show>
        </p>
      )}
    </Show>
  );
}
