/**
 * The loop around the engine: once a second facts become conditions, conditions alarms, alarms rows, and rows deliveries, the
 * last two in one transaction. What the disk refuses is written when it takes it again.
 */

import { must } from '../../storage/base/assert.ts';
import type { Clock } from '../../storage/base/clock.ts';
import { Lifetime } from '../../storage/base/lifecycle.ts';
import type { Log } from '../../storage/base/log.ts';
import type { Actor, AlarmRow, Catalog } from '../../storage/catalog/index.ts';
import { titleOf } from './alarm-text.ts';
import { observationOf } from './conditions.ts';
import { type AlarmChange, AlarmEngine } from './engine.ts';
import type { Facts } from './facts.ts';
import { tellWebhooks } from './outbox.ts';
import { alarmRules, isAlarmCode } from './rules.ts';

export type AlarmWatchDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly catalog: Catalog;
  /** A new id for an alarm. */
  readonly newId: () => string;
  readonly facts: { now(): Facts };
  /** Something changed that people see, and that webhooks may have to be told. */
  readonly onChanged: () => void;
};

const periodMs = 1_000;
/** A watch that has not looked for so long is not watching. */
const blindMs = 15_000;

const system: Actor = { kind: 'system', id: '', name: 'weir', address: '', requestId: '' };

type Unwritten = { readonly change: AlarmChange; readonly events: readonly Event[] };
type Event = NonNullable<AlarmChange['event']>;

export class AlarmWatch {
  readonly #deps: AlarmWatchDeps;
  readonly #publicUrl: string | undefined;
  readonly #lifetime = new Lifetime();
  readonly #unwritten = new Map<string, Unwritten>();
  #engine: AlarmEngine | undefined;
  #lookedMs = Number.NEGATIVE_INFINITY;

  /** @param options.publicUrl  of links in what others are told */
  constructor(deps: AlarmWatchDeps, options: { readonly publicUrl: string | undefined }) {
    this.#deps = deps;
    this.#publicUrl = options.publicUrl;
  }

  /** Goes on with the alarms that stand in the catalog. */
  start(): void {
    const { clock, catalog, log, newId } = this.#deps;
    this.#engine = new AlarmEngine({ clock, newId }, { standing: catalog.tables.alarms.standing().map(withoutPerson) });
    this.#lifetime.loop(async (signal) => {
      for (;;) {
        await clock.sleep(periodMs, signal);
        try {
          this.#look();
        } catch (error) {
          log.counted('alarms not watched', 1, { error });
        }
      }
    });
  }

  close(): Promise<void> {
    return this.#lifetime.close();
  }

  /** True while alarms are looked for and can be written. */
  get isWatching(): boolean {
    return this.#unwritten.size === 0 && this.#deps.clock.monotonicMs() - this.#lookedMs < blindMs;
  }

  /** Alarms that stand, as the engine has them. */
  get standing() {
    return must(this.#engine, 'the watch was started').standing;
  }

  /**
   * A person says that they know of an alarm: it stands on, and opens again when it becomes worse.
   * @throws AppError not_found            no such alarm
   * @throws AppError failed_precondition  somebody did so before
   */
  acknowledge(alarmId: string, by: { readonly actor: Actor; readonly note: string | null }): AlarmRow {
    const { catalog, onChanged } = this.#deps;
    const alarm = catalog.change(by.actor, ({ nowMs, note }) => {
      const acknowledged = catalog.tables.alarms.acknowledge(alarmId, { by: by.actor.name, note: by.note }, nowMs);
      const detail = { code: acknowledged.code, ...(by.note === null ? {} : { note: by.note }) };
      note({ action: 'alarms:acknowledge', resource: `alarm/${alarmId}`, detail });
      tellWebhooks(
        catalog,
        { event: 'alarm.acknowledged', alarm: acknowledged, nowMs },
        { publicUrl: this.#publicUrl },
      );
      return acknowledged;
    });
    onChanged();
    return alarm;
  }

  #look(): void {
    const engine = must(this.#engine, 'the watch was started');
    const standing = new Set(
      engine.standing.flatMap(({ family, subjects }) =>
        subjects.filter(({ clearedMs }) => clearedMs === null).map(({ kind, id }) => `${family} ${kind} ${id}`),
      ),
    );
    const isStanding = (family: string, { kind, id }: { readonly kind: string; readonly id: string }) =>
      standing.has(`${family} ${kind} ${id}`);
    const changes = engine.observe(observationOf(this.#deps.facts.now(), isStanding));
    for (const change of changes) this.#remember(change);
    this.#write();
    this.#lookedMs = this.#deps.clock.monotonicMs();
  }

  #remember(change: AlarmChange): void {
    const before = this.#unwritten.get(change.alarm.id);
    const events = [...(before?.events ?? []), ...(change.event === undefined ? [] : [change.event])];
    const isWorse = change.isWorse || before?.change.isWorse === true;
    this.#unwritten.set(change.alarm.id, { change: { ...change, isWorse }, events });
    if (change.event !== undefined) this.#say(change.event, change);
  }

  #say(event: Event, { alarm }: AlarmChange): void {
    const { log } = this.#deps;
    const fields = {
      alarmId: alarm.id,
      code: alarm.code,
      severity: alarm.severity,
      title: titleOf(alarm.code, alarm.subjects),
    };
    if (event === 'cleared') log.info('alarm is over', fields);
    else if (alarm.severity === 'warning') log.warn(`alarm ${event}`, fields);
    else log.error(`alarm ${event}`, fields);
  }

  #write(): void {
    if (this.#unwritten.size === 0) return;
    const { catalog, onChanged } = this.#deps;
    const { alarms } = catalog.tables;
    catalog.change(system, ({ nowMs }) => {
      for (const { change, events } of this.#unwritten.values()) {
        alarms.put(change.alarm, { isWorse: change.isWorse });
        const alarm = must(alarms.find(change.alarm.id), 'an alarm just written is found');
        for (const event of events) {
          tellWebhooks(catalog, { event: `alarm.${event}`, alarm, nowMs }, { publicUrl: this.#publicUrl });
        }
      }
    });
    this.#unwritten.clear();
    onChanged();
  }
}

function withoutPerson({ acknowledgedMs: _, acknowledgedBy: __, acknowledgedNote: ___, ...alarm }: AlarmRow) {
  return alarm;
}

/** Standing alarms by code, none left out: what Prometheus is told. */
export function alarmCounts(standing: readonly { readonly code: string; readonly severity: string }[]) {
  const codes = Object.entries(alarmRules).map(([code, { severity }]) => ({ code, severity, count: 0 }));
  for (const { code, severity } of standing) {
    const known = codes.find((one) => one.code === code && one.severity === severity);
    if (known !== undefined) known.count++;
    else if (isAlarmCode(code)) codes.push({ code, severity: severity as 'warning', count: 1 });
  }
  return codes;
}
