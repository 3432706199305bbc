/** Says in plain words how a live picture is watched, how far it is behind, and why it is not watched in a better way. */

import { Show } from 'solid-js';
import { sentence } from '../fault.tsx';
import type { LiveStatus } from './live/live-view.ts';
import type { Way } from './live/session.ts';

const names = { webrtc: 'WebRTC', socket: 'WebSocket', hls: 'HLS' } as const satisfies Record<Way, string>;

export function LiveWay(props: {
  readonly way: Way;
  readonly status: LiveStatus;
  readonly behindS: number | undefined;
  readonly isSmall: boolean;
}) {
  const behind = () => (props.behindS === undefined ? '' : ` · ${Math.max(0.1, props.behindS).toFixed(1)} s behind`);
  const why = () => props.status.why;
  const whole = () =>
    `Live by ${names[props.way]}${behind()}. ${[why(), props.status.notes]
      .filter((text) => text !== undefined)
      .map(sentence)
      .join(' ')}`;
  return (
    <div class="way" classList={{ worse: props.way !== 'webrtc' }} title={whole()}>
      <span class="mode" classList={{ away: props.status.isAway }}>
        {props.status.isAway ? 'AWAY' : 'LIVE'}
      </span>
      <Show when={!props.isSmall || props.way !== 'webrtc'}>
        <span class="by">
          {names[props.way]}
          <Show when={!props.isSmall}>{behind()}</Show>
          <Show when={!props.isSmall && why()}>{(text) => <>: {text()}</>}</Show>
        </span>
      </Show>
    </div>
  );
}
