/** Alarms as the API tells them, and the resource that the whole page shares. */

import { createEffect, createResource, on } from 'solid-js';
import { ApiError, call } from '../api.ts';
import { createDeepSignal } from '../frame/deep-signal.ts';

export type Severity = 'info' | 'warning' | 'error' | 'critical';

export type Alarm = {
  readonly id: string;
  readonly code: string;
  readonly severity: Severity;
  readonly state: 'standing' | 'past';
  readonly title: string;
  /** Path of its page in the runbook. */
  readonly help: string;
  readonly subjectCount: number;
  readonly subjects: readonly {
    readonly kind: string;
    readonly id: string;
    readonly name: string;
    readonly text: string;
    readonly hint: string | null;
    readonly sinceMs: number;
    readonly clearedMs: number | null;
  }[];
  readonly sinceMs: number;
  readonly clearedMs: number | null;
  readonly count: number;
  readonly acknowledged: { readonly atMs: number; readonly by: string; readonly note: string | null } | null;
};

export type AlarmPage = { readonly alarms: readonly Alarm[]; readonly next: string | null };

const ranks: Readonly<Record<Severity, number>> = { info: 0, warning: 1, error: 2, critical: 3 };
const standingMax = 200;

/** Unacknowledged first, then the worst, then the newest. */
export function byUrgency(a: Alarm, b: Alarm): number {
  const open = Number(a.acknowledged !== null) - Number(b.acknowledged !== null);
  return open || ranks[b.severity] - ranks[a.severity] || b.sinceMs - a.sinceMs;
}

export type Alarms = ReturnType<typeof createAlarms>;

/**
 * The alarms that stand.
 *
 * @param isConnected  read again when the connection came back: news were missed
 */
export function createAlarms(isConnected: () => boolean) {
  const [standing, { refetch, mutate }] = createResource<Alarm[] | undefined>(
    async (_, { value }) => {
      try {
        const { alarms } = await call<AlarmPage>('GET', `/api/alarms?limit=${standingMax}`);
        return [...alarms].sort(byUrgency);
      } catch (error) {
        // Not everybody may see alarms; for them there is nothing to show.
        if (error instanceof ApiError && error.status === 403) return undefined;
        // What stood a moment ago is told rather than nothing: that the appliance is away stands beside it.
        return value;
      }
    },
    { storage: createDeepSignal },
  );
  createEffect(on(isConnected, (is) => is && void refetch(), { defer: true }));
  const acknowledge = async (alarmId: string, note: string | null) => {
    const changed = await call<Alarm>('POST', `/api/alarms/${alarmId}/acknowledge`, { note });
    mutate((known) => known?.map((alarm) => (alarm.id === alarmId ? changed : alarm)).sort(byUrgency));
    return changed;
  };
  return { standing, refresh: () => void refetch(), acknowledge };
}
