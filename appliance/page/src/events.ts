/** Live states over one WebSocket: reconnects by itself, and says whether it is connected. */

import { batch, createSignal, onCleanup } from 'solid-js';
import { createStore } from 'solid-js/store';
import type { SourceState } from './api.ts';

type Message =
  | { readonly type: 'snapshot'; readonly states: readonly SourceState[] }
  | { readonly type: 'state'; readonly state: SourceState }
  | { readonly type: 'streams'; readonly streams: readonly { readonly streamId: string; readonly latestMs: number }[] }
  | { readonly type: 'changed'; readonly what: string }
  | { readonly type: 'roles' };

export type Events = ReturnType<typeof connectEvents>;

const firstDelayMs = 500;
const delayMsMax = 10_000;

/** Connects until the owning component is gone. `onChanged` is called when a list must be read again. */
export function connectEvents(onChanged: (what: string) => void) {
  const [states, setStates] = createStore<Record<string, SourceState>>({});
  const [latestMs, setLatestMs] = createStore<Record<string, number>>({});
  const [isConnected, setConnected] = createSignal(false);
  let socket: WebSocket | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let delayMs = firstDelayMs;
  let isClosed = false;

  const take = (message: Message) => {
    batch(() => {
      if (message.type === 'snapshot') for (const state of message.states) setStates(state.streamId, state);
      else if (message.type === 'state') setStates(message.state.streamId, message.state);
      else if (message.type === 'streams')
        for (const { streamId, latestMs: at } of message.streams) setLatestMs(streamId, at);
    });
    if (message.type === 'changed') onChanged(message.what);
  };

  const connect = () => {
    socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/api/events`);
    socket.onopen = () => {
      delayMs = firstDelayMs;
      setConnected(true);
    };
    socket.onmessage = (event) => take(JSON.parse(String(event.data)) as Message);
    socket.onclose = () => {
      setConnected(false);
      if (isClosed) return;
      timer = setTimeout(connect, delayMs);
      delayMs = Math.min(delayMsMax, delayMs * 2);
    };
  };

  connect();
  onCleanup(() => {
    isClosed = true;
    clearTimeout(timer);
    socket?.close();
  });
  return { states, latestMs, isConnected };
}
