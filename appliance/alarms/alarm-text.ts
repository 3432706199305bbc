/** Alarms in words and as JSON, for people who may see all of their subjects or some. */

import type { AlarmRow, AlarmSubject } from '../../storage/catalog/index.ts';
import { alarmRules, isAlarmCode } from './rules.ts';

/** An alarm as the API and webhooks tell it. */
export type AlarmAnswer = {
  readonly id: string;
  readonly code: string;
  readonly severity: AlarmRow['severity'];
  readonly state: 'standing' | 'past';
  /** One line: what is wrong with what. */
  readonly title: string;
  /** Page of the runbook. */
  readonly help: string;
  readonly subjectCount: number;
  readonly subjects: readonly AlarmSubject[];
  readonly sinceMs: number;
  readonly raisedMs: number;
  readonly lastSeenMs: number;
  readonly clearedMs: number | null;
  readonly count: number;
  readonly acknowledged: { readonly atMs: number; readonly by: string; readonly note: string | null } | null;
};

/** Names that a title has. */
const namesMax = 5;

/** @param options.subjects  those that may be told; the alarm's own by default */
export function alarmAnswer(
  alarm: AlarmRow,
  options: {
    readonly subjects?: readonly AlarmSubject[];
    readonly subjectsMax?: number;
    readonly publicUrl?: string | undefined;
  } = {},
): AlarmAnswer {
  const subjects = options.subjects ?? alarm.subjects;
  const { acknowledgedMs, acknowledgedBy, acknowledgedNote } = alarm;
  return {
    id: alarm.id,
    code: alarm.code,
    severity: alarm.severity,
    state: alarm.clearedMs === null ? 'standing' : 'past',
    title: titleOf(alarm.code, subjects),
    help: `${options.publicUrl ?? ''}/help/${alarm.code}`,
    subjectCount: subjects.length,
    subjects: subjects.slice(0, options.subjectsMax ?? subjects.length),
    sinceMs: alarm.sinceMs,
    raisedMs: alarm.raisedMs,
    lastSeenMs: alarm.lastSeenMs,
    clearedMs: alarm.clearedMs,
    count: subjects === alarm.subjects ? alarm.count : subjects.reduce((sum, { count }) => sum + count, 0),
    acknowledged:
      acknowledgedMs === null ? null : { atMs: acknowledgedMs, by: acknowledgedBy ?? '', note: acknowledgedNote },
  };
}

/** `Door: camera is away: the camera could not be reached`, or `40 cameras are away: Door, Gate, Hall, Ramp, Yard and 35 more`. */
export function titleOf(code: string, subjects: readonly AlarmSubject[]): string {
  const rule = isAlarmCode(code) ? alarmRules[code] : { one: code, many: code };
  const ill = subjects.filter(({ clearedMs }) => clearedMs === null);
  const told = ill.length === 0 ? subjects : ill;
  const [first] = told;
  if (first === undefined) return rule.one;
  if (told.length === 1) return `${first.name}: ${rule.one}: ${first.text}`;
  const names = told
    .slice(0, namesMax)
    .map(({ name }) => name)
    .join(', ');
  const more = told.length > namesMax ? ` and ${told.length - namesMax} more` : '';
  return `${told.length} ${rule.many}: ${names}${more}`;
}
