/**
 * Conditions in, alarms out. Pure but for the clock it reads: the same conditions at the same times give the same alarms.
 *
 *   condition -> pending --held long enough--> standing --away long enough--> over
 *
 * A pending condition that goes and comes adds up what it held, and is forgotten after being away for `clearMs`; a standing one
 * that comes back within `clearMs` is the same alarm. So what flaps is one alarm, however it flaps. Subjects of one family that
 * begin together are one alarm too: the first that is due waits a little for the others.
 */

import { must } from '../../storage/base/assert.ts';
import type { Clock } from '../../storage/base/clock.ts';
import type { Alarm, AlarmSeverity, AlarmSubject } from '../../storage/catalog/index.ts';
import { type AlarmCode, type AlarmRule, alarmCodes, alarmRules, isAlarmCode, worseOf } from './rules.ts';

/** Something that is wrong now. */
export type Condition = {
  readonly code: AlarmCode;
  readonly subject: Pick<AlarmSubject, 'kind' | 'id' | 'name'>;
  /** Lower-case sentence with the facts, without credentials. */
  readonly text: string;
  readonly hint?: string | undefined;
  /** Where it is not the rule's. */
  readonly severity?: AlarmSeverity | undefined;
};

/** Everything that is wrong now, and of what nobody can tell just now: that neither begins nor ends. */
export type Observation = {
  /** Of several of one family and subject the first counts. */
  readonly conditions: readonly Condition[];
  readonly isKnown: (family: string, subject: Pick<AlarmSubject, 'kind' | 'id'>) => boolean;
};

/** What became of an alarm. Without an event it is only to be written. */
export type AlarmChange = {
  readonly alarm: Alarm;
  readonly event: 'raised' | 'changed' | 'cleared' | undefined;
  /** It has more subjects or is more severe than before: who acknowledged it did not know that. */
  readonly isWorse: boolean;
};

/** Subjects that begin within this are taken to fail together: a switch that dies is noticed by silence, camera by camera. */
export const groupWindowMs = 60_000;
/** The first that is due waits so long for others that are not yet. */
export const groupWaitMs = 15_000;
/** An alarm that goes on changing is told about once in this time. */
export const changePeriodMs = 60_000;
/** When it was last seen is written so often. */
const lastSeenPeriodMs = 60_000;
/** What is seen twice with more between was not seen to hold for all of it: the process or the whole machine stood still. */
const passedMsMax = 5_000;
/** What only the list shows is written so often. */
const quietPeriodMs = 5_000;
/** Subjects of one alarm: all cameras of the largest site. */
const subjectsMax = 1_000;

/** A condition of one subject and family. */
type Tracker = {
  readonly key: string;
  readonly family: string;
  condition: Condition;
  readonly beganWallMs: number;
  readonly beganMs: number;
  /** How long it held, all its appearances together. */
  heldMs: number;
  /** Since when it is away; undefined while it holds. */
  awaySinceMs: number | undefined;
  dueSinceMs: number | undefined;
  count: number;
  alarm: Standing | undefined;
};

type Standing = {
  readonly beganMs: number;
  alarm: Alarm;
  /** What it was told to be. */
  told: Alarm | undefined;
  dueChangeMs: number;
  writtenMs: number;
  isDirty: boolean;
};

export class AlarmEngine {
  readonly #clock: Pick<Clock, 'wallMs' | 'monotonicMs'>;
  readonly #newId: () => string;
  readonly #trackers = new Map<string, Tracker>();
  readonly #standing = new Set<Standing>();
  #observedMs: number | undefined;

  /** @param options.standing  alarms that a process before this one left */
  constructor(
    dependencies: { readonly clock: Pick<Clock, 'wallMs' | 'monotonicMs'>; readonly newId: () => string },
    options: { readonly standing: readonly Alarm[] },
  ) {
    this.#clock = dependencies.clock;
    this.#newId = dependencies.newId;
    for (const alarm of options.standing) this.#restore(alarm);
  }

  /** Alarms that are not over, in the order in which they were raised. */
  get standing(): readonly Alarm[] {
    return [...this.#standing].map(({ alarm }) => alarm);
  }

  /** Takes what is wrong now. Called about once a second; what time passed between two calls counts for what held at the first. */
  observe(observation: Observation): AlarmChange[] {
    const nowMs = this.#clock.monotonicMs();
    const passedMs = Math.min(passedMsMax, nowMs - (this.#observedMs ?? nowMs));
    this.#observedMs = nowMs;
    this.#follow(observation, { nowMs, passedMs });
    const events = new Map<Standing, 'raised' | 'changed' | 'cleared'>();
    for (const standing of this.#standing) this.#update(standing, nowMs);
    for (const due of this.#dueGroups(nowMs)) this.#raise(due, nowMs);
    for (const standing of this.#standing) {
      const event = this.#eventOf(standing, nowMs);
      if (event !== undefined) events.set(standing, event);
    }
    return [...this.#standing].flatMap((standing) => this.#changeOf(standing, { nowMs, event: events.get(standing) }));
  }

  #follow({ conditions, isKnown }: Observation, time: { readonly nowMs: number; readonly passedMs: number }): void {
    const { nowMs, passedMs } = time;
    const seen = new Set<string>();
    for (const condition of conditions) {
      const { family } = alarmRules[condition.code];
      const key = keyOf(family, condition.subject);
      if (seen.has(key)) continue;
      seen.add(key);
      const known = this.#trackers.get(key);
      const tracker = known ?? this.#begin(key, condition, nowMs);
      if (known?.awaySinceMs !== undefined) tracker.count++;
      else if (known !== undefined) tracker.heldMs += passedMs;
      tracker.awaySinceMs = undefined;
      tracker.condition = condition;
      if (tracker.heldMs >= alarmRules[condition.code].holdMs) tracker.dueSinceMs ??= nowMs;
    }
    for (const [key, tracker] of this.#trackers) {
      if (seen.has(key) || !isKnown(tracker.family, tracker.condition.subject)) continue;
      tracker.awaySinceMs ??= nowMs;
      tracker.dueSinceMs = undefined;
      const { clearMs } = alarmRules[tracker.condition.code];
      if (nowMs - tracker.awaySinceMs >= clearMs && tracker.alarm === undefined) this.#trackers.delete(key);
    }
  }

  #begin(key: string, condition: Condition, nowMs: number): Tracker {
    const tracker: Tracker = {
      ...{ key, condition, family: alarmRules[condition.code].family },
      ...{ beganWallMs: this.#clock.wallMs(), beganMs: nowMs, heldMs: 0, count: 1 },
      ...{ awaySinceMs: undefined, dueSinceMs: undefined, alarm: undefined },
    };
    this.#trackers.set(key, tracker);
    return tracker;
  }

  /** What is to become one alarm now. */
  #dueGroups(nowMs: number): Tracker[][] {
    const pending = [...this.#trackers.values()].filter(
      (tracker) => tracker.alarm === undefined && tracker.awaySinceMs === undefined,
    );
    const due = pending.filter((tracker) => tracker.dueSinceMs !== undefined).sort((a, b) => a.beganMs - b.beganMs);
    const groups: Tracker[][] = [];
    for (const tracker of due) {
      const group = groups.find(([first]) => first !== undefined && isTogether(first, tracker));
      if (group === undefined) groups.push([tracker]);
      else group.push(tracker);
    }
    return groups.filter((group) => {
      const [first] = group;
      if (first === undefined || nowMs - oldestDueMs(group) >= groupWaitMs) return true;
      return !pending.some((tracker) => tracker.dueSinceMs === undefined && isTogether(first, tracker));
    });
  }

  #raise(group: readonly Tracker[], nowMs: number): void {
    const first = must(group[0], 'a group has a subject');
    const known = [...this.#standing].find(
      (standing) =>
        standing.alarm.family === first.family && standing.alarm.clearedMs === null && this.#takes(standing, first),
    );
    const nowWallMs = this.#clock.wallMs();
    const standing = known ?? this.#stand(emptyAlarm(this.#newId(), first, nowWallMs), first.beganMs);
    const room = subjectsMax - standing.alarm.subjects.length;
    const rejoining = new Set(standing.alarm.subjects.map((subject) => keyOf(first.family, subject)));
    for (const tracker of group.filter(({ key }, i) => i < room || rejoining.has(key))) tracker.alarm = standing;
    this.#update(standing, nowMs);
  }

  /** True when a subject belongs to an alarm that stands: it is among its subjects, or began with them. */
  #takes({ alarm, beganMs }: Standing, tracker: Tracker): boolean {
    if (alarm.subjects.some((subject) => keyOf(alarm.family, subject) === tracker.key)) return true;
    return ruleOf(tracker).isGrouped && Math.abs(tracker.beganMs - beganMs) <= groupWindowMs;
  }

  #stand(alarm: Alarm, beganMs: number): Standing {
    const standing: Standing = { alarm, beganMs, told: undefined, dueChangeMs: 0, writtenMs: 0, isDirty: true };
    this.#standing.add(standing);
    return standing;
  }

  /** Brings an alarm's subjects up to date with their conditions. */
  #update(standing: Standing, nowMs: number): void {
    const before = standing.alarm;
    const nowWallMs = this.#clock.wallMs();
    const subjects = new Map(before.subjects.map((subject) => [keyOf(before.family, subject), subject]));
    let isSeen = false;
    let { severity } = before;
    for (const tracker of this.#trackers.values()) {
      if (tracker.alarm !== standing) continue;
      const { condition, awaySinceMs } = tracker;
      const rule = ruleOf(tracker);
      const isOver = awaySinceMs !== undefined && nowMs - awaySinceMs >= rule.clearMs;
      if (awaySinceMs === undefined) {
        isSeen = true;
        severity = worseOf(severity, condition.severity ?? rule.severity);
      }
      const subject = subjectOf(tracker, { known: subjects.get(tracker.key), clearedMs: isOver ? nowWallMs : null });
      subjects.set(tracker.key, subject);
      tracker.count = 0;
      if (isOver) this.#trackers.delete(tracker.key);
    }
    const all = [...subjects.values()];
    const isOver = all.every((subject) => subject.clearedMs !== null);
    standing.alarm = {
      ...before,
      severity,
      subjects: all,
      code: isOver ? before.code : codeOf(all),
      count: all.reduce((sum, subject) => sum + subject.count, 0),
      lastSeenMs: isSeen ? nowWallMs : before.lastSeenMs,
      clearedMs: isOver ? nowWallMs : null,
    };
    const { lastSeenMs: _, ...facts } = standing.alarm;
    const { lastSeenMs: __, ...factsBefore } = before;
    if (JSON.stringify(facts) !== JSON.stringify(factsBefore)) standing.isDirty = true;
  }

  /** What others are to be told now. */
  #eventOf(standing: Standing, nowMs: number): 'raised' | 'changed' | 'cleared' | undefined {
    const { alarm, told } = standing;
    if (told === undefined) return 'raised';
    if (alarm.clearedMs !== null) return 'cleared';
    if (nowMs < standing.dueChangeMs) return undefined;
    return isWorseThan(alarm, told) || alarm.code !== told.code ? 'changed' : undefined;
  }

  #changeOf(
    standing: Standing,
    { nowMs, event }: { readonly nowMs: number; readonly event: AlarmChange['event'] },
  ): AlarmChange[] {
    const { alarm, told } = standing;
    const isWorse = event === 'changed' && told !== undefined && isWorseThan(alarm, told);
    if (event !== undefined) {
      standing.told = alarm;
      standing.dueChangeMs = nowMs + changePeriodMs;
    }
    const periodMs = standing.isDirty ? quietPeriodMs : lastSeenPeriodMs;
    if (event === undefined && nowMs - standing.writtenMs < periodMs) return [];
    standing.isDirty = false;
    standing.writtenMs = nowMs;
    if (alarm.clearedMs !== null) this.#standing.delete(standing);
    return [{ alarm, event, isWorse }];
  }

  /** What a process before this one told stands until it is known to be over. */
  #restore(alarm: Alarm): void {
    const nowMs = this.#clock.monotonicMs();
    const nowWallMs = this.#clock.wallMs();
    const ageOf = (sinceMs: number) => Math.max(0, nowWallMs - sinceMs);
    // What another release knew of cannot be observed here: it is over.
    const subjects = alarm.subjects.map((subject) =>
      isAlarmCode(subject.code) ? subject : { ...subject, clearedMs: subject.clearedMs ?? nowWallMs },
    );
    const standing = this.#stand({ ...alarm, subjects }, nowMs - ageOf(alarm.sinceMs));
    standing.told = alarm;
    standing.writtenMs = nowMs;
    standing.isDirty = false;
    for (const subject of subjects) {
      const { code, kind, id, name, text, hint } = subject;
      if (subject.clearedMs !== null || !isAlarmCode(code)) continue;
      const key = keyOf(alarm.family, subject);
      this.#trackers.set(key, {
        ...{ key, family: alarm.family, alarm: standing, count: 0, heldMs: 0, awaySinceMs: undefined },
        condition: { code, subject: { kind, id, name }, text, hint: hint ?? undefined, severity: alarm.severity },
        ...{ beganWallMs: subject.sinceMs, beganMs: nowMs - ageOf(subject.sinceMs), dueSinceMs: nowMs },
      });
    }
  }
}

function keyOf(family: string, { kind, id }: Pick<AlarmSubject, 'kind' | 'id'>): string {
  return `${family} ${kind} ${id}`;
}

function ruleOf({ condition }: Tracker): AlarmRule {
  return alarmRules[condition.code];
}

function isTogether(a: Tracker, b: Tracker): boolean {
  return a.family === b.family && ruleOf(a).isGrouped && Math.abs(a.beganMs - b.beganMs) <= groupWindowMs;
}

function oldestDueMs(group: readonly Tracker[]): number {
  return Math.min(...group.map(({ dueSinceMs }) => dueSinceMs ?? Number.POSITIVE_INFINITY));
}

function emptyAlarm(id: string, { condition, family, beganWallMs }: Tracker, nowWallMs: number): Alarm {
  const { code } = condition;
  const times = { sinceMs: beganWallMs, raisedMs: nowWallMs, lastSeenMs: nowWallMs, clearedMs: null };
  return { id, code, family, severity: 'warning', subjects: [], count: 0, ...times };
}

function subjectOf(
  { condition, beganWallMs, count }: Tracker,
  { known, clearedMs }: { readonly known: AlarmSubject | undefined; readonly clearedMs: number | null },
): AlarmSubject {
  const { code, subject, text, hint } = condition;
  const times = { sinceMs: known?.sinceMs ?? beganWallMs, count: (known?.count ?? 0) + count, clearedMs };
  return { ...subject, code, text, hint: hint ?? null, ...times };
}

/** The first by the rules' order among subjects that are not well. */
function codeOf(subjects: readonly AlarmSubject[]): string {
  const codes = new Set(subjects.filter((subject) => subject.clearedMs === null).map(({ code }) => code));
  return alarmCodes.find((code) => codes.has(code)) ?? must([...codes][0], 'a standing alarm has a subject');
}

function isWorseThan(alarm: Alarm, told: Alarm): boolean {
  return alarm.severity !== told.severity || alarm.subjects.length > told.subjects.length;
}
