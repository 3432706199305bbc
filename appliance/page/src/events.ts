/** Live states over one WebSocket: reconnects by itself, and says whether it is connected. */

import { batch, createSignal, onCleanup } from 'solid-js';
import { createStore } from 'solid-js/store';
import { ApiError, call, type SourceState } from './api.ts';

type Message =
  | { readonly type: 'snapshot'; readonly states: readonly SourceState[] }
  | { readonly type: 'state'; readonly state: SourceState }
  | { readonly type: 'streams'; readonly streams: readonly { readonly streamId: string; readonly latestMs: number }[] }
  | { readonly type: 'changed'; readonly what: string }
  | { readonly type: 'roles' };

export type Events = ReturnType<typeof connectEvents>;

const firstDelayMs = 500;
const delayMsMax = 10_000;
/** How the appliance closes a socket whose session was ended or ran out. */
const loggedOutCode = 4401;

/**
 * Connects until the owning component is gone, or the session is.
 *
 * @param onChanged    a list must be read again
 * @param onLoggedOut  the session has ended: somebody has to log in
 */
export function connectEvents(onChanged: (what: string) => void, onLoggedOut: () => void) {
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

  const end = () => {
    isClosed = true;
    clearTimeout(timer);
    onLoggedOut();
  };

  /** A refused socket does not say why: the session may have ended while there was no connection. */
  const askForSession = () => {
    call('GET', '/api/session').catch((error: unknown) => {
      if (!isClosed && error instanceof ApiError && error.status === 401) end();
    });
  };

  const connect = () => {
    let hasOpened = false;
    socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/api/events`);
    socket.onopen = () => {
      hasOpened = true;
      delayMs = firstDelayMs;
      setConnected(true);
    };
    socket.onmessage = (event) => take(JSON.parse(String(event.data)) as Message);
    socket.onclose = ({ code }) => {
      setConnected(false);
      if (isClosed) return;
      if (code === loggedOutCode) return end();
      if (!hasOpened) askForSession();
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
