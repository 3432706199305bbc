/** The door of ONVIF: cameras of the plan, searches, and what other processes may ask. See README.md. */

export { type DeviceAddress, OnvifDevice } from './device.ts';
export type { FoundDevice } from './discovery/probe-messages.ts';
export { EventOutbox, type EventStore, type StoredRange } from './events/event-outbox.ts';
export type { EventKind, EventRange, EventSink } from './events/event-sink.ts';
export { countedSink, registerOnvifMetrics } from './metrics.ts';
export { Onvif, type Search } from './onvif.ts';
export { type OnvifRequests, onvifRequests } from './requests.ts';
