/**
 * Reads what a pull of messages brought: which messages are about something that we keep, and what they say of it. Makers have
 * topics and item names of their own for the same thing; all that are known stand here. Pure.
 */

import { onvifLimits } from '../limits.ts';
import { childOf, childrenOf, elementAt, textAt, type XmlElement } from '../xml.ts';
import type { EventKind } from './event-sink.ts';

/** One message about one thing that lasts. */
export type DeviceEvent = {
  readonly kind: EventKind;
  /** The same for all messages about the same thing: topic and source. */
  readonly key: string;
  /** Undefined for what has no duration: a line was crossed. */
  readonly isActive: boolean | undefined;
  /** True for the state that a device tells of when it is first asked, not for a change. */
  readonly isInitial: boolean;
  /** The device's own time, undefined when it told none. */
  readonly deviceMs: number | undefined;
  readonly detail: Readonly<Record<string, string>>;
};

/**
 * Topics without prefixes, most particular first. Where the standard has none, the maker is named.
 * RuleEngine topics end with the kind of rule; what stands between is the name that its user gave it.
 */
const topics: readonly (readonly [RegExp, EventKind])[] = [
  [/(^|\/)DigitalInput$/i, 'digital-input'],
  // Axis: tns1:Device/tnsaxis:IO/Port.
  [/^Device\/IO\/Port$/i, 'digital-input'],
  [/tamper/i, 'tamper'],
  [/^VideoSource\/(GlobalSceneChange|ImageToo(Dark|Bright|Blurry))(\/|$)/i, 'tamper'],
  [/LineDetector\/Crossed|LineCross|CrossLine|Linecross/i, 'line'],
  // The scene's own changes, and what an object detector of the camera sees moving.
  [/(^|\/)MotionAlarm$/i, 'motion'],
  [/CellMotionDetector|MotionRegionDetector|MotionDetector/i, 'motion'],
  [/FieldDetector\/ObjectsInside/i, 'motion'],
  // Axis: VMD 3 in the rule engine, VMD 4 and Object Analytics as applications.
  [/^RuleEngine\/VMD3\//i, 'motion'],
  [/^CameraApplicationPlatform\/(VMD|ObjectAnalytics|MotionGuard)\//i, 'motion'],
  // Reolink and Tapo: one topic for each class of object.
  [/^RuleEngine\/(MyRuleDetector|PeopleDetector|TPSmartEventDetector)\//i, 'motion'],
];

/** Truth in the words of devices. */
const words: ReadonlyMap<string, boolean> = new Map([
  ...['true', '1', 'on', 'active'].map((word) => [word, true] as const),
  ...['false', '0', 'off', 'inactive'].map((word) => [word, false] as const),
]);

/** Messages of one pull that are about something we keep. What cannot be read is left out. */
export function eventsOf(answer: XmlElement): DeviceEvent[] {
  return childrenOf(answer, 'NotificationMessage')
    .slice(0, onvifLimits.messagesMax)
    .flatMap((notification) => eventOf(notification) ?? []);
}

function eventOf(notification: XmlElement): DeviceEvent | undefined {
  const topic = topicOf(notification);
  const kind = topics.find(([pattern]) => pattern.test(topic))?.[1];
  const message = elementAt(notification, 'Message', 'Message') ?? childOf(notification, 'Message');
  if (kind === undefined || message === undefined) return undefined;
  const source = itemsOf(childOf(message, 'Source'));
  const data = itemsOf(childOf(message, 'Data'));
  const operation = message.attributes.get('PropertyOperation');
  const sourceText = [...source].map(([name, value]) => `${name}=${value}`).sort();
  return {
    kind,
    key: [topic, ...sourceText].join(' '),
    isActive: operation === 'Deleted' ? false : stateOf(data),
    isInitial: operation === 'Initialized',
    deviceMs: timeOf(message.attributes.get('UtcTime')),
    detail: { topic, ...Object.fromEntries([...source].slice(0, 4)), ...objectOf(data) },
  };
}

/** `tns1:RuleEngine/tnsaxis:VMD3/vmd3_video_1` without prefixes. */
function topicOf(notification: XmlElement): string {
  return (textAt(notification, 'Topic') ?? '')
    .split('/')
    .map((part) => part.slice(part.lastIndexOf(':') + 1).trim())
    .join('/');
}

/** Name and value of simple items, in their order. */
function itemsOf(element: XmlElement | undefined): Map<string, string> {
  const items = new Map<string, string>();
  for (const item of childrenOf(element, 'SimpleItem').slice(0, 16)) {
    const name = item.attributes.get('Name')?.slice(0, 64);
    const value = (item.attributes.get('Value') ?? item.text).slice(0, onvifLimits.textMax);
    if (name !== undefined && name !== '__proto__') items.set(name, value);
  }
  return items;
}

/** The one item that is true or false: `State`, `IsMotion`, `LogicalState`, `active`, and names nobody thought of. */
function stateOf(data: ReadonlyMap<string, string>): boolean | undefined {
  for (const [name, value] of data) {
    const word = words.get(value.trim().toLowerCase());
    // A counter or an object's number may be 0 or 1 too.
    if (word !== undefined && !/id$|count|num/i.test(name)) return word;
  }
  return undefined;
}

/** What the device says that it saw. */
function objectOf(data: ReadonlyMap<string, string>): Record<string, string> {
  const found = [...data].find(([name]) => /^(ObjectId|ClassTypes|ObjectType|Likelihood)$/i.test(name));
  return found === undefined ? {} : { [found[0]]: found[1] };
}

/** RFC 3339; without a zone it is taken for UTC, as the name of the attribute says. */
function timeOf(text: string | undefined): number | undefined {
  if (text === undefined || text.length > 40) return undefined;
  const time = Date.parse(/(z|[+-]\d\d:?\d\d)$/i.test(text) ? text : `${text}Z`);
  return Number.isFinite(time) && time > 0 ? time : undefined;
}
