/** Tracks and hints between their model form, which has bytes, and their wire form, which is JSON. */

import type { Hint } from '../model/hint.ts';
import type { Codec, Track } from '../model/track.ts';
import type { WireHint, WireTrack } from './messages.ts';

export function trackToWire(track: Track): WireTrack {
  return {
    number: track.number,
    kind: track.kind,
    codec: track.codec,
    codecId: track.codecId,
    codecPrivate: base64(track.codecPrivate),
    ...(track.codecString === undefined ? {} : { codecString: track.codecString }),
    ...(track.video === undefined ? {} : { video: track.video }),
    ...(track.audio === undefined ? {} : { audio: track.audio }),
  };
}

/** A codec that this version does not know is `other`. */
export function wireToTrack(wire: WireTrack): Track {
  return {
    number: wire.number,
    kind: wire.kind,
    codec: isCodec(wire.codec) ? wire.codec : 'other',
    codecId: wire.codecId,
    codecPrivate: new Uint8Array(Buffer.from(wire.codecPrivate, 'base64')),
    codecString: wire.codecString,
    ...(wire.video === undefined ? {} : { video: wire.video }),
    ...(wire.audio === undefined ? {} : { audio: wire.audio }),
  };
}

export function hintToWire(hint: Hint): WireHint {
  if (hint.kind !== 'committed') return hint;
  return { ...hint, fragment: { ...hint.fragment, sha256: base64(hint.fragment.sha256) } };
}

export function wireToHint(wire: WireHint): Hint {
  if (wire.kind !== 'committed') return wire;
  const sha256 = new Uint8Array(Buffer.from(wire.fragment.sha256, 'base64'));
  return { ...wire, fragment: { ...wire.fragment, sha256 } };
}

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

const codecs: Readonly<Record<Codec, true>> = {
  h264: true,
  h265: true,
  aac: true,
  opus: true,
  pcmu: true,
  pcma: true,
  other: true,
};

function isCodec(text: string): text is Codec {
  return Object.hasOwn(codecs, text);
}
