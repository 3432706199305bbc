/** Who is logged in, and what to offer them. What is allowed is decided elsewhere, at every request. */

import { type Accessor, createContext, createSignal, onCleanup, useContext } from 'solid-js';
import type { Session } from '../api.ts';

export const SessionContext = createContext<Session>();

/** Whether an action is worth offering. */
export function createMay(): (action: string) => boolean {
  const session = useContext(SessionContext);
  return (action) => session?.actions.some((pattern) => matches(pattern, action)) ?? false;
}

function matches(pattern: string, action: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(action);
}

/** The time, again every so often: for texts such as "for 5 min". */
export function createNow(periodMs: number): Accessor<number> {
  const [nowMs, setNowMs] = createSignal(Date.now());
  const timer = setInterval(() => setNowMs(Date.now()), periodMs);
  onCleanup(() => clearInterval(timer));
  return nowMs;
}
