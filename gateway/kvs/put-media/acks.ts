/** Acknowledgements and errors of PutMedia as they stand on the wire. Pure. */

import type { Ack, MediaErrorName } from '../../put-media/index.ts';

/**
 * What AWS calls it. Producers send a fragment again after 4000, 4003 and 5000 and above, and leave it out after the others; what they do
 * not know they send again. Names are those of the Java SDK, which knows no others.
 */
const errors: Readonly<Record<MediaErrorName, { readonly id: number; readonly code: string }>> = {
  'read-error': { id: 4000, code: 'STREAM_READ_ERROR' },
  'fragment-too-large': { id: 4001, code: 'MAX_FRAGMENT_SIZE_REACHED' },
  'fragment-too-long': { id: 4002, code: 'MAX_FRAGMENT_DURATION_REACHED' },
  'connection-too-old': { id: 4003, code: 'MAX_CONNECTION_DURATION_REACHED' },
  'timecode-not-increasing': { id: 4004, code: 'FRAGMENT_TIMECODE_LESSER_THAN_PREVIOUS' },
  'invalid-matroska': { id: 4006, code: 'INVALID_MKV_DATA' },
  'invalid-producer-timestamp': { id: 4007, code: 'INVALID_PRODUCER_TIMESTAMP' },
  'stream-not-active': { id: 4008, code: 'STREAM_NOT_ACTIVE' },
  'too-many-tags': { id: 4009, code: 'FRAGMENT_METADATA_LIMIT_REACHED' },
  'undeclared-track': { id: 4010, code: 'TRACK_NUMBER_MISMATCH' },
  'track-missing': { id: 4011, code: 'FRAMES_MISSING_FOR_TRACK' },
  'too-many-tracks': { id: 4012, code: 'MORE_THAN_ALLOWED_TRACKS_FOUND' },
  internal: { id: 5000, code: 'INTERNAL_ERROR' },
  'not-persisted': { id: 5001, code: 'ARCHIVAL_ERROR' },
};

/** One line: no blank, no escape, integers alone, since producers read it with a parser of their own. */
export function ackLine(ack: Ack): string {
  return `${JSON.stringify(members(ack))}\n`;
}

function members(ack: Ack): object {
  if (ack.kind === 'idle') return { EventType: 'IDLE' };
  const about = {
    ...(ack.timecodeMs === undefined ? {} : { FragmentTimecode: ack.timecodeMs }),
    ...(ack.number === undefined ? {} : { FragmentNumber: ack.number }),
  };
  if (ack.kind !== 'error') return { EventType: ack.kind.toUpperCase(), ...about };
  const { id, code } = errors[ack.error];
  return { EventType: 'ERROR', ...about, ErrorId: id, ErrorCode: code };
}

/** What a producer was told has begun, and was not told is stored, in order. */
export class Unfinished {
  readonly #last: 'received' | 'persisted';
  readonly #begun = new Map<string, number>();

  /** @param last  after which acknowledgement a producer forgets a fragment */
  constructor(last: 'received' | 'persisted') {
    this.#last = last;
  }

  note(ack: Ack): void {
    if (ack.kind === 'buffering') this.#begun.set(ack.number, ack.timecodeMs);
    else if (ack.kind === this.#last) this.#begun.delete(ack.number);
  }

  /** The error of an owner that died: about the oldest fragment that has to be sent again. */
  internalError(): Ack {
    const [oldest] = this.#begun;
    const about = oldest === undefined ? {} : { number: oldest[0], timecodeMs: oldest[1] };
    return { kind: 'error', error: 'internal', ...about };
  }
}
