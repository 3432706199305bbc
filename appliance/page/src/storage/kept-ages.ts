/** The ages that count in a recording mode: what the storage page shows and changes. Values in, values out. */

import type { Recording } from '../api.ts';
import { modesOf } from './stream-rate.ts';

/** One age of a stream's footage. */
export type KeptAge = {
  /** The setting that it is. */
  readonly setting: 'retentionHours' | 'eventRetentionHours';
  readonly hours: number;
  /** What goes at that age. */
  readonly word: 'everything' | 'events';
};

/** Empty: nothing is kept, it is live only. */
export function keptAges(recording: Recording): readonly KeptAge[] {
  const { retentionHours, eventRetentionHours } = recording;
  const modes = modesOf(recording);
  const eventHours = eventRetentionHours ?? retentionHours;
  const hasEvents = modes.has('events') || (modes.has('continuous') && eventHours > retentionHours);
  return [
    ...(modes.has('continuous')
      ? [{ setting: 'retentionHours', hours: retentionHours, word: 'everything' } as const]
      : []),
    ...(hasEvents ? [{ setting: 'eventRetentionHours', hours: eventHours, word: 'events' } as const] : []),
  ];
}

/** Whole hours of what a person wrote as days; undefined: that is no age. */
export function daysToHours(days: number): number | undefined {
  return Number.isNaN(days) || days <= 0 ? undefined : Math.max(1, Math.round(days * 24));
}
