/** Asks the running appliance over its own socket: how it is, its alarms, its cameras. It need not run, nor answer. */

import { z } from 'zod';
import type { Clock } from '../../storage/base/clock.ts';
import { errnoOf, isAppError, toAppError } from '../../storage/base/errors.ts';
import type { ApiClient } from '../api-client/index.ts';
import type { ApplianceAnswer } from './judge-appliance.ts';
import type { CameraState } from './judge-cameras.ts';
import { within } from './within.ts';

const answerMs = 5_000;

const text = z.string().nullish();
const stateShape = z.looseObject({
  streamId: z.string(),
  state: z.enum(['idle', 'connecting', 'live', 'retrying', 'stopped']),
  reason: text,
  message: text,
  hint: text,
  clockOffsetMs: z.number().nullish(),
  warnings: z.array(z.string()),
});
const camerasShape = z.looseObject({
  cameras: z.array(
    z.looseObject({ state: stateShape.nullish(), sub: z.looseObject({ state: stateShape.nullish() }).nullish() }),
  ),
});
const systemShape = z.looseObject({
  version: z.string(),
  roles: z.array(
    z.looseObject({
      role: z.string(),
      state: z.string(),
      restarts: z.number(),
      pid: z.number().nullish(),
      reason: text,
    }),
  ),
  webrtc: z.looseObject({ state: z.string() }).nullish(),
  keeper: z
    .looseObject({
      problems: z.array(z.looseObject({ code: z.string(), message: z.string(), hint: text })).default([]),
    })
    .nullable(),
});
const alarmsShape = z.looseObject({
  alarms: z.array(
    z.looseObject({
      code: z.string(),
      severity: z.string(),
      title: z.string(),
      subjects: z.array(z.looseObject({ hint: text })),
    }),
  ),
});

export type ApplianceLook = {
  readonly answer: ApplianceAnswer;
  readonly pids: ReadonlySet<number>;
  /** Otherwise it says itself why not: by an alarm, where that does not pass. */
  readonly isWebRtcReady: boolean;
  /** By stream. */
  readonly states: ReadonlyMap<string, CameraState>;
};

export async function lookAtAppliance(deps: {
  readonly clock: Clock;
  readonly api: Pick<ApiClient, 'call'>;
}): Promise<ApplianceLook> {
  const ask = <T>(path: string, shape: z.ZodType<T>) =>
    within(deps.clock, answerMs, async () => shape.parse(await deps.api.call('GET', path)));
  try {
    const [system, { alarms }, { cameras }] = await Promise.all([
      ask('/api/system', systemShape),
      ask('/api/alarms?state=standing&limit=100', alarmsShape),
      ask('/api/cameras', camerasShape),
    ]);
    const facts = {
      version: system.version,
      roles: system.roles.map(({ role, state, restarts, reason }) => ({
        role,
        state,
        restarts,
        reason: reason ?? null,
      })),
      keeperProblems: system.keeper?.problems ?? null,
      alarms: alarms.map(({ code, severity, title, subjects }) => ({
        code,
        severity,
        title,
        hint: sharedHint(subjects),
      })),
    };
    const states = cameras.flatMap(({ state, sub }) => [state, sub?.state].filter((one) => one != null));
    return {
      answer: { kind: 'running', facts },
      pids: new Set(system.roles.flatMap(({ pid }) => (pid == null ? [] : [pid]))),
      isWebRtcReady: system.webrtc?.state === 'ready',
      states: new Map(states.map((state) => [state.streamId, stateOf(state)])),
    };
  } catch (error) {
    return { answer: whyNot(error), pids: new Set(), isWebRtcReady: false, states: new Map() };
  }
}

/** What to do where it is the same for all of them: the way to one camera helps no other. */
function sharedHint(subjects: readonly { readonly hint?: string | null | undefined }[]): string | null {
  const [first = null, ...others] = new Set(subjects.map(({ hint }) => hint ?? null));
  return others.length === 0 ? first : null;
}

function stateOf({ state, warnings, ...facts }: z.infer<typeof stateShape>): CameraState {
  const { reason, message, hint, clockOffsetMs } = facts;
  return {
    ...{ state, warnings },
    ...{ reason: reason ?? undefined, message: message ?? undefined, hint: hint ?? undefined },
    clockOffsetMs: clockOffsetMs ?? undefined,
  };
}

function whyNot(error: unknown): ApplianceAnswer {
  const cause = isAppError(error, 'unavailable') ? errnoOf(error.cause) : undefined;
  if (cause === 'ENOENT' || cause === 'ECONNREFUSED') return { kind: 'off' };
  const message =
    error instanceof z.ZodError ? 'it answers in words that this release does not know' : toAppError(error).message;
  return { kind: 'mute', message };
}
