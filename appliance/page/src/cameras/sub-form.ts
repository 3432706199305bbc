/** The form of a camera's sub source: what it is filled with, and what of it is sent. Pure. */

import type { Camera, Recording } from '../api.ts';

export type SubForm = {
  /** Empty: there is none, or it comes to us by itself. */
  readonly url: string;
  readonly transport: 'tcp' | 'udp';
  readonly tls: 'verify' | 'any';
  /** Empty: as it is. */
  readonly login: { readonly username: string; readonly password: string };
  /** The main source's login instead of one of its own. */
  readonly isLoginShared: boolean;
  readonly recording: Recording;
};

type Sub = Camera['sub'];

/** How a sub source is kept when nobody says otherwise, as the API has it. */
export const newSubRecording: Recording = {
  mode: 'live',
  schedule: null,
  retentionHours: 168,
  eventRetentionHours: null,
  preRollMinutes: 10,
};

export function subFormOf(sub: Sub): SubForm {
  const { url = '', transport = 'tcp', tls = 'verify' } = sub?.source.kind === 'rtsp' ? sub.source : {};
  return {
    ...{ url, transport, tls },
    login: { username: '', password: '' },
    isLoginShared: sub?.hasOwnCredentials !== true,
    recording: sub === null ? newSubRecording : recordingOf(sub.recording),
  };
}

/** What changes: undefined for nothing to say, null to remove it. */
export function subPatch(before: Sub, form: SubForm) {
  const recording = recordingOf(form.recording);
  if (before !== null && before.source.kind !== 'rtsp') return { recording };
  const url = form.url.trim();
  if (url === '') return before === null ? undefined : null;
  const { transport, tls } = form;
  return { source: { kind: 'rtsp' as const, url, transport, tls }, ...credentialsOf(before, form), recording };
}

/** Only what a form has of it: whatever else an answer tells is not sent back. */
export function recordingOf(recording: Recording): Recording {
  const { mode, schedule, retentionHours, eventRetentionHours, preRollMinutes } = recording;
  return { mode, schedule, retentionHours, eventRetentionHours, preRollMinutes };
}

/** False for what is live only at every hour of the week: it has no past. */
export function isKept({ mode, schedule }: Pick<Recording, 'mode' | 'schedule'>): boolean {
  return mode !== 'live' || (schedule?.spans.some((span) => span.mode !== 'live') ?? false);
}

function credentialsOf(before: Sub, { login, isLoginShared }: SubForm) {
  if (isLoginShared) return before?.hasOwnCredentials === true ? { credentials: null } : {};
  return login.username === '' && login.password === '' ? {} : { credentials: login };
}
