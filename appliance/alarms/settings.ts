/** What people decide about alarms while the appliance runs: one setting of the catalog. */

import { z } from 'zod';
import type { Catalog } from '../../storage/catalog/index.ts';

const setting = 'alarms.settings';

export const alarmSettings = z.strictObject({
  gapMinutesPerDay: z
    .number()
    .min(1)
    .max(1_440)
    .describe('minutes of the last 24 hours that a camera may miss before it is an alarm'),
  webhookAddresses: z
    .enum(['site', 'private', 'public'])
    .describe(
      'where webhooks and the heartbeat may go: site: everywhere, this machine and its networks too; private: these alone; public: never there. Link-local addresses (cloud metadata) are always refused',
    ),
});

export type AlarmSettings = z.infer<typeof alarmSettings>;

/** A site's receivers are on its own network as often as on the internet. A camera may restart once a day. */
export const alarmDefaults: AlarmSettings = { gapMinutesPerDay: 10, webhookAddresses: 'site' };

export function readAlarmSettings(catalog: Catalog): AlarmSettings {
  const stored = alarmSettings.safeParse({ ...alarmDefaults, ...asObject(catalog.tables.settings.get(setting)) });
  return stored.success ? stored.data : alarmDefaults;
}

/** Inside of a `Catalog.change`. What is left out is as it is by default. */
export function writeAlarmSettings(catalog: Catalog, settings: Partial<AlarmSettings>, nowMs: number): void {
  catalog.tables.settings.put(setting, settings, nowMs);
}

function asObject(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}
