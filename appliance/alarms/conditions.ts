/** What is wrong, told from what is known. Pure. Where a number decides, it must come back further than it went. */

import type { AlarmSubject } from '../../storage/catalog/index.ts';
import type { SourceState } from '../../storage/model/camera.ts';
import { limits } from '../../storage/model/limits.ts';
import { type GapReason, gapReasons, gapReasonText } from '../../storage/model/run.ts';
import type { Condition, Observation } from './engine.ts';
import type { CameraFacts, Facts, IsStanding, SpaceFacts } from './facts.ts';
import { isAlarmCode } from './rules.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** Started again so often within `restartWindowMs`: no more an accident. The supervisor waits longer from the fifth on. */
export const restartsMax = 5;
export const restartWindowMs = 10 * 60_000;
/** A camera whose clock is off by more shows times that people take for true; NTP keeps it within tenths of a second. */
const clockOffsetMsMax = 10_000;
/** Ours are renewed 30 days before their end, others by people who need some time for it. */
const certificateDays = { own: 14, site: 30, urgent: 3 } as const;
/** The keeper keeps 2 % or `limits.diskReserveBytesMax` free. Half of it gone means that it cannot; a tenth left, that it ends soon. */
const reserveShare = 0.02;
const fillingShare = 0.5;
const fullShare = 0.1;
/** Gone for good only when this much more of the reserve is back. */
const refilledShare = 0.75;
/** Faults of the journal's disk, and not of one stream. */
const diskReasons: ReadonlySet<GapReason> = new Set(['write-failed', 'sync-failed', 'disk-stalled', 'disk-full']);

/** Everything that is wrong by these facts, and what they do not tell. */
export function observationOf(facts: Facts, isStanding: IsStanding): Observation {
  return {
    conditions: [
      ...roleConditions(facts),
      ...diskErrors(facts),
      ...spaceConditions(facts, isStanding),
      ...planConditions(facts),
      ...webrtcConditions(facts),
      ...facts.cameras.flatMap((camera) => [
        ...sourceConditions(camera, facts),
        ...clockConditions(camera, facts, isStanding),
        ...gapConditions(camera, facts, isStanding),
        ...shortConditions(camera, facts),
      ]),
      ...keeperConditions(facts),
      ...certificateConditions(facts),
    ],
    isKnown: (family, subject) => isKnown(facts, family, subject),
  };
}

function isKnown(facts: Facts, family: string, subject: Pick<AlarmSubject, 'kind' | 'id'>): boolean {
  switch (family) {
    case 'camera':
    case 'camera-clock':
      return isCameraKnown(facts, subject.id);
    case 'gaps':
      // Of a camera that is away the missing seconds grow all the time: that is told already.
      return facts.gaps !== undefined && !isAway(facts, subject.id);
    case 'retention-short':
      return facts.short !== undefined;
    case 'role':
    case 'plan':
    case 'webrtc':
    case 'certificate':
      return true;
    case 'disk-errors':
      return facts.connections.every(({ name, isConnected }) => name === 'keeper' || isConnected);
    case 'disk-space':
      return facts.keeper !== undefined && facts.dataSpace !== undefined;
    default:
      return facts.keeper !== undefined;
  }
}

function isCameraKnown({ cameras, states }: Facts, cameraId: string): boolean {
  const camera = cameras.find(({ id }) => id === cameraId);
  return camera === undefined || !camera.isEnabled || camera.streams.some(({ id }) => states.has(id));
}

function isAway(facts: Facts, cameraId: string): boolean {
  const camera = facts.cameras.find(({ id }) => id === cameraId);
  return camera !== undefined && sourceConditions(camera, facts).length > 0;
}

function roleConditions({ roles, connections, restarts }: Facts): Condition[] {
  const subjectOf = (role: string) => ({ kind: 'role' as const, id: role, name: `process ${role}` });
  const looping = [...restarts].map(([role, count]): Condition => {
    const reason = roles.find((one) => one.role === role)?.reason;
    return {
      ...{ code: 'role-restarting', subject: subjectOf(role) },
      text: `started again ${count} times within ${restartWindowMs / 60_000} minutes${reason === undefined ? '' : `, last since ${reason}`}`,
      severity: role.startsWith('ingest') ? 'critical' : undefined,
    };
  });
  const stopped = roles
    .filter(({ state }) => state !== 'running')
    .map(({ role, state, reason }) => ({ role, text: reason ?? `it is ${state}` }));
  const lost = connections
    .filter(({ isConnected }) => !isConnected)
    .map(({ name }) => ({ role: name, text: 'it cannot be reached' }));
  const away = [...stopped, ...lost].map(
    ({ role, text }): Condition => ({
      ...{ code: 'role-away', subject: subjectOf(role), text },
      severity: role.startsWith('ingest') ? 'critical' : undefined,
    }),
  );
  return [...looping, ...away];
}

function diskErrors({ states }: Facts): Condition[] {
  const faults = [...states.values()].flatMap(({ recordingFault }) =>
    recordingFault !== undefined && diskReasons.has(recordingFault.reason) ? [recordingFault] : [],
  );
  const [first] = faults;
  if (first === undefined) return [];
  return [
    {
      ...{ code: 'disk-errors', subject: { kind: 'disk', id: 'journal', name: 'disk of the journal' } },
      text: `${faults.length === 1 ? 'one stream is' : `${faults.length} streams are`} not recorded: ${gapReasons[first.reason]} (${first.message})`,
    },
  ];
}

function spaceConditions({ keeper, dataSpace }: Facts, isStanding: IsStanding): Condition[] {
  const { journalSpace, storeSpace } = keeper ?? {};
  const places: readonly (readonly [
    code: Condition['code'],
    id: string,
    name: string,
    space: SpaceFacts | undefined,
  ])[] = [
    ['journal-disk-filling', 'journal', 'disk of the journal', journalSpace],
    ['store-disk-filling', 'objects', 'disk of the object store', storeSpace],
    ['data-disk-filling', 'data', 'disk of the data directory', dataSpace],
  ];
  const told = new Set<number>();
  return places.flatMap(([code, id, name, space]): Condition[] => {
    // What lies on one disk is one disk.
    if (space === undefined || told.has(space.device)) return [];
    told.add(space.device);
    const subject = { kind: 'disk' as const, id, name };
    const reserveBytes = Math.min(space.totalBytes * reserveShare, limits.diskReserveBytesMax);
    const share = isStanding('disk-space', subject) ? refilledShare : fillingShare;
    if (space.freeBytes >= reserveBytes * share) return [];
    const severity = space.freeBytes < reserveBytes * fullShare ? 'critical' : 'error';
    const text = `${sizeText(space.freeBytes)} of ${sizeText(space.totalBytes)} are free, ${sizeText(reserveBytes)} should be`;
    return [{ code, subject, text, severity }];
  });
}

function planConditions({ planFailure }: Facts): Condition[] {
  if (planFailure === undefined) return [];
  return [{ code: 'plan-unwritten', subject: { kind: 'site', id: 'plan', name: 'plan' }, text: planFailure }];
}

function webrtcConditions({ webrtcTrouble }: Facts): Condition[] {
  if (webrtcTrouble === undefined) return [];
  return [{ code: 'webrtc-away', subject: { kind: 'site', id: 'webrtc', name: 'WebRTC' }, text: webrtcTrouble }];
}

function sourceConditions(camera: CameraFacts, { states }: Pick<Facts, 'states'>): Condition[] {
  if (!camera.isEnabled) return [];
  const failing = camera.streams.flatMap((stream) => {
    const state = states.get(stream.id);
    return state !== undefined && stream.isUnbidden !== true && isFailing(state) ? [{ ...stream, state }] : [];
  });
  const [first] = failing;
  if (first === undefined) return [];
  const { reason = 'connecting', message, hint } = first.state;
  const source = camera.streams.length > 1 && failing.length === 1 ? `its ${first.role} source: ` : '';
  return [
    {
      code: reason === 'source-silent' ? 'camera-silent' : 'camera-away',
      subject: subjectOf(camera),
      text: `${source}${troubleText(gapReasonText(reason, { isPublished: first.isPublished === true }), message)}`,
      hint,
    },
  ];
}

/** The reason with what is known beyond it; what is known alone where that says the reason again. */
function troubleText(reason: string, message: string | undefined): string {
  if (message === undefined) return reason;
  return saysAgain(message, reason) ? message : `${reason} (${message})`;
}

/** They share a word that not every such sentence has, in whatever form it stands there. */
function saysAgain(message: string, reason: string): boolean {
  const told = stemsOf(message);
  return [...stemsOf(reason)].some((stem) => told.has(stem));
}

function stemsOf(text: string): Set<string> {
  const words = text.toLowerCase().match(/[a-z]{4,}/g) ?? [];
  return new Set(words.map((word) => word.slice(0, stemLength)).filter((stem) => !commonStems.has(stem)));
}

const stemLength = 5;
const commonStems: ReadonlySet<string> = new Set(
  ['camera', 'connection', 'could', 'first', 'made', 'none', 'that', 'this', 'server', 'with', 'from'].map((word) =>
    word.slice(0, stemLength),
  ),
);

function isFailing({ state }: SourceState): boolean {
  return state === 'connecting' || state === 'retrying' || state === 'idle';
}

function clockConditions(camera: CameraFacts, { states }: Facts, isStanding: IsStanding): Condition[] {
  const subject = subjectOf(camera);
  const offsetMsMax = isStanding('camera-clock', subject) ? clockOffsetMsMax / 2 : clockOffsetMsMax;
  for (const { id } of camera.isEnabled ? camera.streams : []) {
    const offsetMs = states.get(id)?.clockOffsetMs;
    if (offsetMs === undefined || Math.abs(offsetMs) <= offsetMsMax) continue;
    const text = `it is ${durationText(Math.abs(offsetMs))} ${offsetMs > 0 ? 'ahead of' : 'behind'} ours`;
    return [{ code: 'camera-clock-off', subject, text }];
  }
  return [];
}

function gapConditions(camera: CameraFacts, facts: Facts, isStanding: IsStanding): Condition[] {
  const subject = subjectOf(camera);
  const isKnownAlready = sourceConditions(camera, facts).length > 0;
  if (facts.gaps === undefined || !camera.isEnabled || isKnownAlready) return [];
  const limitMs = isStanding('gaps', subject) ? facts.gapMsMax / 2 : facts.gapMsMax;
  const [worst] = camera.streams
    .flatMap(({ id, isPublished = false }) => {
      const gap = facts.gaps?.get(id);
      return gap === undefined ? [] : [{ ...gap, isPublished }];
    })
    .sort((a, b) => b.missingMs - a.missingMs);
  if (worst === undefined || worst.missingMs <= limitMs) return [];
  const text = `${durationText(worst.missingMs)} of the last 24 hours are missing, most of it since ${gapReasonText(worst.reason, { isPublished: worst.isPublished })}`;
  return [{ code: 'gap-over-limit', subject, text }];
}

function shortConditions(camera: CameraFacts, { short }: Facts): Condition[] {
  const [first] = camera.streams.flatMap(({ id, keptHours }) => {
    const facts = short?.get(id);
    return facts === undefined ? [] : [{ ...facts, keptHours }];
  });
  if (first === undefined) return [];
  const text = `it went after ${daysText(first.agedHours)} of ${daysText(first.keptHours)}: ${first.text}`;
  return [{ code: 'retention-short', subject: subjectOf(camera), text }];
}

/** What the keeper says, under its own codes. */
function keeperConditions({ keeper }: Facts): Condition[] {
  const problems = keeper?.problems ?? [];
  const told = problems.flatMap(({ code, message, hint }): Condition[] =>
    isAlarmCode(code) ? [{ code, subject: keeperSubject(code), text: message, hint }] : [],
  );
  const stopper = problems.find(({ code }) => retentionStoppers.has(code));
  if (stopper === undefined) return told;
  const subject = { kind: 'site', id: 'retention', name: 'retention' } as const;
  return [...told, { code: 'retention-stopped', subject, text: stopper.message, hint: stopper.hint }];
}

/** Problems with which nothing is removed by age. */
const retentionStoppers: ReadonlySet<string> = new Set(['clock-doubt', 'holds-unreadable', 'index-unavailable']);

function keeperSubject(code: string): Condition['subject'] {
  switch (code) {
    case 'store-away':
    case 'store-another':
    case 'storing-fails':
    case 'files-unstorable':
    case 'bytes-undeletable':
    case 'segments-unmovable':
    case 'moving-fails':
      return { kind: 'store', id: 'store', name: 'object store' };
    case 'clock-doubt':
      return { kind: 'clock', id: 'clock', name: 'clock of this machine' };
    case 'files-unreadable':
    case 'taking-in-fails':
    case 'journal-away':
    case 'making-room-fails':
      return { kind: 'disk', id: 'journal', name: 'journal' };
    case 'bytes-lost':
    case 'footage-given-up':
      return { kind: 'store', id: 'footage', name: 'footage' };
    case 'holds-unreadable':
      return { kind: 'site', id: 'holds', name: 'list of holds' };
    case 'limit-short':
      return { kind: 'site', id: 'limit', name: 'a limit of bytes' };
    default:
      return { kind: 'site', id: 'index', name: 'index' };
  }
}

function certificateConditions({ certificate, nowMs }: Facts): Condition[] {
  if (certificate === undefined) return [];
  const leftDays = (certificate.notAfterMs - nowMs) / dayMs;
  if (leftDays >= (certificate.isOwn ? certificateDays.own : certificateDays.site)) return [];
  const endText = new Date(certificate.notAfterMs).toISOString().slice(0, 10);
  return [
    {
      ...{
        code: 'certificate-expiring',
        subject: { kind: 'certificate', id: 'server', name: 'certificate of the page' },
      },
      text: leftDays < 0 ? `it ended on ${endText}` : `it ends on ${endText}`,
      severity: leftDays < certificateDays.urgent ? 'error' : undefined,
    },
  ];
}

function subjectOf({ id, name }: CameraFacts): Condition['subject'] {
  return { kind: 'camera', id, name };
}

function sizeText(bytes: number): string {
  const gibibytes = bytes / 1024 ** 3;
  return gibibytes >= 1 ? `${gibibytes.toFixed(1)} GiB` : `${Math.round(bytes / 1024 ** 2)} MiB`;
}

function durationText(durationMs: number): string {
  const seconds = Math.round(durationMs / 1_000);
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3_600).toFixed(1)} h`;
}

function daysText(hours: number): string {
  return hours < 48 ? `${Math.round(hours)} hours` : `${(hours / 24).toFixed(1)} days`;
}
