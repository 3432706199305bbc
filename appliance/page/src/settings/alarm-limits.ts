/** What counts as an alarm, and where messages about it may go: each setting in words, and what of a form is sent. Pure. */

import type { ApiFault } from '../api.ts';

export type AlarmLimits = {
  /** Of the last 24 hours a camera may miss so much. */
  readonly gapMinutesPerDay: number;
  readonly webhookAddresses: 'site' | 'private' | 'public';
};

/** What the API answers. */
export type AlarmSettingsAnswer = AlarmLimits & {
  readonly defaults: AlarmLimits;
  /** The site file that manages them; null when they were set by hand. */
  readonly managedBy: string | null;
};

export type LimitName = keyof AlarmLimits;

/** Of each setting: how its field is called, with the unit, and what it means. */
export const limitWords: Readonly<Record<LimitName, { readonly label: string; readonly meaning: string }>> = {
  gapMinutesPerDay: {
    label: 'A camera may miss (minutes of 24 hours)',
    meaning: 'When more is missing an alarm is raised; it is over when less than half of it is.',
  },
  webhookAddresses: {
    label: 'Webhooks and the heartbeat may go',
    meaning: 'Private networks include this machine. Link-local addresses (cloud metadata) are always refused.',
  },
};

/** Where messages may go, as the choices are called. */
export const addressChoices: Readonly<Record<AlarmLimits['webhookAddresses'], string>> = {
  site: 'everywhere, local networks too',
  private: 'only within private networks',
  public: 'only to public addresses',
};

/** A value as people read it: `10 minutes`. */
export function limitText<Name extends LimitName>(name: Name, limits: Pick<AlarmLimits, Name>): string {
  const value: AlarmLimits[LimitName] = limits[name];
  if (typeof value !== 'number') return addressChoices[value];
  return `${value.toLocaleString()} ${value === 1 ? 'minute' : 'minutes'}`;
}

/** What differs from what is stored: only that is sent, so that two people at two fields do not undo each other. */
export function changedLimits(stored: AlarmLimits, typed: AlarmLimits): Partial<AlarmLimits> {
  const names = Object.keys(limitWords) as LimitName[];
  return Object.fromEntries(names.filter((name) => stored[name] !== typed[name]).map((name) => [name, typed[name]]));
}

/** What is wrong with one field, without its name, which stands above it; undefined when the fault is about something else. */
export function faultBeside(fault: ApiFault | undefined, field: string): string | undefined {
  if (fault?.field !== field) return undefined;
  const prefix = `${field}: `;
  return fault.message.startsWith(prefix) ? fault.message.slice(prefix.length) : fault.message;
}
