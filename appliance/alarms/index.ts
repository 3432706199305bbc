/** The door of alarms: what is wrong with the appliance and its cameras, told once. */

export { type AlarmAnswer, alarmAnswer } from './alarm-text.ts';
export { AlarmWatch, alarmCounts } from './alarm-watch.ts';
export { FactSource } from './fact-source.ts';
export type { WebhookBody } from './outbox.ts';
export { alarmCodes, isAlarmCode, severities } from './rules.ts';
export { type AlarmSettings, alarmDefaults, alarmSettings, readAlarmSettings, writeAlarmSettings } from './settings.ts';
