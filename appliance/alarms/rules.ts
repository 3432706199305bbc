/**
 * Every alarm there is, with how severe it is, how long its condition holds before it is told, and how long it must be away
 * before the alarm is over. Each has a page in `appliance/runbook`. The order counts: of several codes the first names an alarm.
 */

import type { AlarmSeverity } from '../../storage/catalog/index.ts';
import type { KeeperProblem } from '../../storage/keeper/index.ts';

export type AlarmRule = {
  /** Codes of one family are about the same trouble: a subject has one alarm of it at a time. */
  readonly family: string;
  readonly severity: AlarmSeverity;
  /** The condition holds for so long, all its appearances together, before it is told. */
  readonly holdMs: number;
  /** It must be away for so long without a break: whatever comes back before is the same alarm. */
  readonly clearMs: number;
  /** Subjects that begin together are one alarm. */
  readonly isGrouped: boolean;
  /** Of one subject, behind its name: `Door: camera is away`. */
  readonly one: string;
  /** Of several, behind their number: `40 cameras are away`. */
  readonly many: string;
};

const seconds = 1_000;
const minutes = 60 * seconds;

/** A camera that restarts needs 20 to 60 s; a person need not be told of one that is back by then. */
const camera = { family: 'camera', holdMs: 30 * seconds, clearMs: 30 * seconds, isGrouped: true } as const;
/** The supervisor starts a role again within 30 s. */
const role = { family: 'role', clearMs: 60 * seconds, isGrouped: false } as const;
const disk = { family: 'disk-space', holdMs: 30 * seconds, clearMs: 2 * minutes, isGrouped: false } as const;
/** Told by the keeper, which retries by itself first. */
const keeper = { holdMs: 30 * seconds, clearMs: 30 * seconds, isGrouped: false } as const;

const ownRules = {
  'role-away': {
    ...role,
    severity: 'error',
    holdMs: 30 * seconds,
    one: 'does not run',
    many: 'processes do not run',
  },
  'role-restarting': {
    ...role,
    severity: 'error',
    holdMs: 0,
    one: 'ends again and again',
    many: 'processes end again and again',
  },
  'disk-errors': {
    ...{ family: 'disk-errors', severity: 'critical', holdMs: 5 * seconds, clearMs: 60 * seconds, isGrouped: false },
    one: 'does not take recordings',
    many: 'disks do not take recordings',
  },
  'journal-disk-filling': {
    ...disk,
    severity: 'critical',
    one: 'has too little room',
    many: 'disks have too little room',
  },
  'store-disk-filling': { ...disk, severity: 'error', one: 'has too little room', many: 'disks have too little room' },
  'data-disk-filling': {
    ...disk,
    severity: 'critical',
    one: 'has too little room',
    many: 'disks have too little room',
  },
  'plan-unwritten': {
    ...{ family: 'plan', severity: 'error', holdMs: 10 * seconds, clearMs: 10 * seconds, isGrouped: false },
    one: 'changes do not reach the recorder',
    many: 'changes do not reach the recorder',
  },
  'camera-away': { ...camera, severity: 'error', one: 'camera is away', many: 'cameras are away' },
  'camera-silent': { ...camera, severity: 'error', one: 'camera sends nothing', many: 'cameras send nothing' },
  'gap-over-limit': {
    ...{ family: 'gaps', severity: 'warning', holdMs: 0, clearMs: 5 * minutes, isGrouped: true },
    one: 'more is missing than allowed',
    many: 'cameras miss more than allowed',
  },
  'camera-clock-off': {
    ...{ family: 'camera-clock', severity: 'warning', holdMs: 5 * minutes, clearMs: 5 * minutes, isGrouped: true },
    one: 'clock of the camera is wrong',
    many: 'cameras have a wrong clock',
  },
  'retention-stopped': {
    ...{ family: 'retention', severity: 'error', holdMs: 60 * minutes, clearMs: 60 * seconds, isGrouped: false },
    one: 'old footage is not removed',
    many: 'old footage is not removed',
  },
  'retention-short': {
    ...{ family: 'retention-short', severity: 'warning', holdMs: 0, clearMs: 60 * minutes, isGrouped: true },
    one: 'footage was removed before its age',
    many: 'cameras lost footage before its age',
  },
  'webrtc-away': {
    // Live view goes other ways, and a build that is on its way is no trouble.
    ...{ family: 'webrtc', severity: 'warning', holdMs: 5 * minutes, clearMs: 60 * seconds, isGrouped: false },
    one: 'does not work',
    many: 'parts of WebRTC do not work',
  },
  'certificate-expiring': {
    ...{ family: 'certificate', severity: 'warning', holdMs: 0, clearMs: 60 * seconds, isGrouped: false },
    one: 'ends soon',
    many: 'certificates end soon',
  },
} as const satisfies Readonly<Record<string, AlarmRule>>;

/** What the keeper says is wrong, under its own codes: a new one of its problems does not compile without a rule. */
const keeperRules = {
  'index-unavailable': {
    ...{ ...keeper, family: 'index', severity: 'critical' },
    one: 'cannot be opened',
    many: 'indexes cannot be opened',
  },
  'index-rebuilding': {
    ...keeper,
    family: 'index',
    severity: 'warning',
    one: 'is being rebuilt',
    many: 'indexes are being rebuilt',
  },
  'store-another': {
    ...keeper,
    family: 'store',
    severity: 'critical',
    one: 'is another one',
    many: 'stores are others',
  },
  'store-away': { ...keeper, family: 'store', severity: 'error', one: 'is away', many: 'stores are away' },
  'storing-fails': {
    ...keeper,
    family: 'store',
    severity: 'error',
    one: 'cannot be filled',
    many: 'stores cannot be filled',
  },
  'clock-doubt': {
    ...keeper,
    family: 'clock',
    severity: 'error',
    holdMs: 0,
    one: 'is in doubt',
    many: 'clocks are in doubt',
  },
  'limit-short': {
    ...keeper,
    family: 'limit',
    severity: 'error',
    one: 'cannot be kept',
    many: 'limits cannot be kept',
  },
  'bytes-lost': { ...keeper, family: 'bytes-lost', severity: 'critical', one: 'is lost', many: 'recordings are lost' },
  'holds-unreadable': {
    ...keeper,
    family: 'holds',
    severity: 'critical',
    one: 'cannot be read',
    many: 'lists of holds cannot be read',
  },
  'files-unreadable': {
    ...keeper,
    family: 'files-unreadable',
    severity: 'error',
    one: 'has unreadable files',
    many: 'journals have unreadable files',
  },
  'files-unstorable': {
    ...keeper,
    family: 'files-unstorable',
    severity: 'error',
    one: 'refuses files',
    many: 'stores refuse files',
  },
  'bytes-undeletable': {
    ...keeper,
    family: 'bytes-undeletable',
    severity: 'warning',
    one: 'keeps what was removed',
    many: 'stores keep what was removed',
  },
  'segments-unmovable': {
    ...keeper,
    family: 'segments-unmovable',
    severity: 'error',
    one: 'has segments that cannot move on',
    many: 'stores have segments that cannot move on',
  },
  'moving-fails': {
    ...keeper,
    family: 'moving',
    severity: 'error',
    one: 'takes nothing from the store before it',
    many: 'stores take nothing from those before them',
  },
  'footage-given-up': {
    ...{ ...keeper, holdMs: 0, family: 'footage-given-up', severity: 'critical' },
    one: 'footage was removed before it was stored',
    many: 'footage was removed before it was stored',
  },
  'journal-away': { ...keeper, family: 'journal', severity: 'critical', one: 'is away', many: 'journals are away' },
  'making-room-fails': {
    ...{ ...keeper, family: 'making-room', severity: 'error' },
    one: 'old footage cannot be removed',
    many: 'old footage cannot be removed',
  },
  'taking-in-fails': {
    ...keeper,
    family: 'taking-in',
    severity: 'critical',
    one: 'new footage is not taken in',
    many: 'new footage is not taken in',
  },
} as const satisfies Readonly<Record<KeeperProblem['code'], AlarmRule>>;

/** All rules by code. */
export const alarmRules = { ...ownRules, ...keeperRules };

export type AlarmCode = keyof typeof alarmRules;

/** All codes, the one that names an alarm before others first. */
export const alarmCodes = Object.keys(alarmRules) as readonly AlarmCode[];

export function isAlarmCode(code: string): code is AlarmCode {
  return Object.hasOwn(alarmRules, code);
}

export const severities = ['warning', 'error', 'critical'] as const satisfies readonly AlarmSeverity[];

/** The worse of two. */
export function worseOf(a: AlarmSeverity, b: AlarmSeverity): AlarmSeverity {
  return severities.indexOf(a) >= severities.indexOf(b) ? a : b;
}
