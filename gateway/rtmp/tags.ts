/**
 * What an audio or video message carries: FLV tags (Video File Format Specification 10.1, E.4) and enhanced ones (Enhanced RTMP,
 * version 1 whole; of version 2 the FourCC codes, Opus and skipping of what modifies a packet). Pure; views into the message.
 */

/** Codecs by the names that people know; those of `Track` are recorded. */
export type VideoTag =
  | { readonly kind: 'configuration'; readonly codec: 'h264' | 'h265'; readonly body: Uint8Array }
  | {
      readonly kind: 'frame';
      readonly codec: 'h264' | 'h265';
      /** Presentation time less decode time, milliseconds, signed. */
      readonly compositionMs: number;
      readonly body: Uint8Array;
    }
  | { readonly kind: 'unsupported'; readonly what: string }
  /** Commands, ends of sequences, HDR metadata: nothing to record. */
  | { readonly kind: 'other' };

export type AudioTag =
  | { readonly kind: 'configuration'; readonly codec: 'aac' | 'opus'; readonly body: Uint8Array }
  | { readonly kind: 'frame'; readonly codec: 'aac' | 'opus'; readonly body: Uint8Array }
  | { readonly kind: 'frame'; readonly codec: 'pcmu' | 'pcma'; readonly channels: number; readonly body: Uint8Array }
  | { readonly kind: 'unsupported'; readonly what: string }
  | { readonly kind: 'other' };

/** The message ends before its head does, or breaks the format. */
export const malformed = { kind: 'malformed' } as const;
export type Malformed = typeof malformed;

const nothing = { kind: 'other' } as const;

/** FrameType 5: a command to the player, without a picture. */
const videoCommand = 5;

/** VideoPacketType and AudioPacketType of enhanced RTMP, as far as both mean the same. */
const packetTypes = {
  sequenceStart: 0,
  codedFrames: 1,
  sequenceEnd: 2,
  /** Video: as `codedFrames` with a composition time of 0, which is left out. */
  codedFramesX: 3,
  multitrackAudio: 5,
  multitrackVideo: 6,
  modifier: 7,
} as const;

const videoNames: Readonly<Record<number, string>> = {
  2: 'Sorenson H.263',
  3: 'Screen Video',
  4: 'VP6',
  5: 'VP6 with alpha',
  6: 'Screen Video 2',
  13: 'AV1',
};

const audioNames: Readonly<Record<number, string>> = {
  0: 'PCM',
  1: 'ADPCM',
  2: 'MP3',
  3: 'PCM',
  4: 'Nellymoser',
  5: 'Nellymoser',
  6: 'Nellymoser',
  11: 'Speex',
  14: 'MP3',
  15: 'a device-specific codec',
};

const fourCcNames: Readonly<Record<string, string>> = {
  av01: 'AV1',
  vp08: 'VP8',
  vp09: 'VP9',
  vvc1: 'H.266',
  'ac-3': 'AC-3',
  'ec-3': 'E-AC-3',
  fLaC: 'FLAC',
  '.mp3': 'MP3',
};

/** Reads a video message; an empty one is how some encoders keep the connection alive. */
export function readVideoTag(message: Uint8Array): VideoTag | Malformed {
  const first = message[0];
  if (first === undefined) return nothing;
  if ((first & 0x80) !== 0) return readEnhancedVideo(message, first);
  const codec = classicVideoCodec(first & 0x0f);
  if (first >> 4 === videoCommand) return nothing;
  if (codec === undefined)
    return { kind: 'unsupported', what: videoNames[first & 0x0f] ?? `video codec ${first & 0x0f}` };
  if (message.length < 5) return message[1] === 2 ? nothing : malformed;
  const body = message.subarray(5);
  switch (message[1]) {
    case 0:
      return { kind: 'configuration', codec, body };
    case 1:
      return { kind: 'frame', codec, compositionMs: readSigned24(message, 2), body };
    default:
      return nothing;
  }
}

/** Reads an audio message. */
export function readAudioTag(message: Uint8Array): AudioTag | Malformed {
  const first = message[0];
  if (first === undefined) return nothing;
  const format = first >> 4;
  switch (format) {
    case 7:
    case 8:
      // Rate and size bits mean nothing here: G.711 in FLV is 8 kHz.
      return {
        kind: 'frame',
        codec: format === 7 ? 'pcma' : 'pcmu',
        channels: 1 + (first & 1),
        body: message.subarray(1),
      };
    case 9:
      return readEnhancedAudio(message, first);
    case 10:
      if (message.length < 2) return malformed;
      return { kind: message[1] === 0 ? 'configuration' : 'frame', codec: 'aac', body: message.subarray(2) };
    default:
      return { kind: 'unsupported', what: audioNames[format] ?? `audio codec ${format}` };
  }
}

function readEnhancedVideo(message: Uint8Array, first: number): VideoTag | Malformed {
  const head = skipModifiers(message, first & 0x0f);
  if (head === undefined) return malformed;
  const { packetType, at } = head;
  if (packetType === packetTypes.multitrackVideo)
    return { kind: 'unsupported', what: 'several tracks in one (multitrack)' };
  // A command has no FourCC (E-RTMP: "frameType == Command" is followed by one byte), metadata has.
  if (((first >> 4) & 7) === videoCommand && packetType !== 4) return nothing;
  const fourCc = readFourCc(message, at);
  if (fourCc === undefined) return malformed;
  const codec = fourCc === 'avc1' ? 'h264' : fourCc === 'hvc1' || fourCc === 'hev1' ? 'h265' : undefined;
  if (codec === undefined) return { kind: 'unsupported', what: fourCcName(fourCc) };
  const body = message.subarray(at + 4);
  switch (packetType) {
    case packetTypes.sequenceStart:
      return { kind: 'configuration', codec, body };
    case packetTypes.codedFrames:
      if (body.length < 3) return malformed;
      return { kind: 'frame', codec, compositionMs: readSigned24(body, 0), body: body.subarray(3) };
    case packetTypes.codedFramesX:
      return { kind: 'frame', codec, compositionMs: 0, body };
    default:
      return nothing;
  }
}

function readEnhancedAudio(message: Uint8Array, first: number): AudioTag | Malformed {
  const head = skipModifiers(message, first & 0x0f);
  if (head === undefined) return malformed;
  const { packetType, at } = head;
  if (packetType === packetTypes.multitrackAudio)
    return { kind: 'unsupported', what: 'several tracks in one (multitrack)' };
  const fourCc = readFourCc(message, at);
  if (fourCc === undefined) return malformed;
  const codec = fourCc === 'mp4a' ? 'aac' : fourCc === 'Opus' ? 'opus' : undefined;
  if (codec === undefined) return { kind: 'unsupported', what: fourCcName(fourCc) };
  const body = message.subarray(at + 4);
  if (packetType === packetTypes.sequenceStart) return { kind: 'configuration', codec, body };
  return packetType === packetTypes.codedFrames ? { kind: 'frame', codec, body } : nothing;
}

/** Jumps over ModEx parts (E-RTMP v2: nanoseconds and what may come), each shorter than the message. */
function skipModifiers(message: Uint8Array, packetType: number): { packetType: number; at: number } | undefined {
  let at = 1;
  let type = packetType;
  while (type === packetTypes.modifier) {
    let dataBytes = (message[at] ?? 0) + 1;
    at += 1;
    if (dataBytes === 256) {
      dataBytes = (((message[at] ?? 0) << 8) | (message[at + 1] ?? 0)) + 1;
      at += 2;
    }
    at += dataBytes;
    const next = message[at];
    if (next === undefined) return undefined;
    type = next & 0x0f;
    at += 1;
  }
  return { packetType: type, at };
}

/** 7 is H.264; 12 is what encoders and networks outside of the standard agreed on for H.265 before there was a FourCC. */
function classicVideoCodec(codecId: number): 'h264' | 'h265' | undefined {
  if (codecId === 7) return 'h264';
  return codecId === 12 ? 'h265' : undefined;
}

function readFourCc(message: Uint8Array, at: number): string | undefined {
  if (at + 4 > message.length) return undefined;
  return Buffer.from(message.subarray(at, at + 4)).toString('latin1');
}

/** What comes from outside is shown to people: letters and digits of it only. */
function fourCcName(fourCc: string): string {
  return fourCcNames[fourCc] ?? `codec "${fourCc.replaceAll(/[^\w.-]/g, '?')}"`;
}

function readSigned24(bytes: Uint8Array, at: number): number {
  return (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8)) >> 8;
}
