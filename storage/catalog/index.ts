/** The catalog's door: `serve` writes it, nobody else opens it for writing. */

export type { AccessKey } from './access-keys.ts';
export type { Alarm, AlarmRow, AlarmSeverity } from './alarms.ts';
export type { Actor, AuditNote } from './audit.ts';
export type {
  CameraSettings,
  CameraSource,
  CatalogDevice,
  CatalogRecording,
  CatalogSource,
  SealedCredentials,
} from './camera-settings.ts';
export { type Camera, type CatalogStream, camerasMax, changedSettings } from './cameras.ts';
export { Catalog } from './catalog.ts';
export { type Channel, channelsMax, type ListedChannel } from './channels.ts';
export { type Attempt, type Delivery, type DeliveryEvent, endedMax, waitingMax } from './deliveries.ts';
export type { Device } from './devices.ts';
export type { EdgeConfiguration, EdgeState } from './edge-configurations.ts';
export type { ManagedKind, ManagedMark } from './managed.ts';
export { PlanFile, planOf } from './plan.ts';
export type { Policy } from './policies.ts';
export type { AlarmSubject, AuditDetail, EdgeSchedule, EdgeSettings, PolicyStatement, StreamTags } from './schema.ts';
export type { SealedKind } from './sealed.ts';
export { type StoredSecret, secretsMax } from './secrets.ts';
export type { Session } from './sessions.ts';
export {
  type ListedStreamSettings,
  plainStreamSettings,
  type StorageTier,
  type StreamSettings,
} from './stream-settings.ts';
export type { Topic } from './topics.ts';
export { type UsageDirection, type UsageRow, usageDaysMax } from './usage.ts';
export type { User } from './users.ts';
export { type Webhook, type WebhookSettings, webhooksMax } from './webhooks.ts';
