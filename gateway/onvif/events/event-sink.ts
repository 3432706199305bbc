/** What becomes of what a camera saw: ranges of time, whose keeper this room does not know. */

/** What an event of a camera is about. */
export type EventKind = 'motion' | 'line' | 'tamper' | 'digital-input';

/** Something that has begun, in server time. */
export type EventRange = {
  readonly rangeId: string;
  /** Of the main stream: its footage is marked. */
  readonly streamId: string;
  readonly cameraId: string;
  readonly kind: EventKind;
  readonly beginMs: number;
  /** The device's own words: topic, rule or input, and what it saw if it says so. */
  readonly detail: Readonly<Record<string, string>>;
};

export type EventSink = {
  /** Begins a range. Calls for one range come in order and never overlap. */
  began(range: EventRange): void;
  /** @param end.isCertain  false where the camera never said so: the end is a guess by what was heard last */
  ended(range: EventRange, end: { readonly endMs: number; readonly isCertain: boolean }): void;
};
