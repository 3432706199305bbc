/**
 * Matroska as the producer SDKs of KVS write it, with numbered frames: EBML head, Segment of unknown size, Info, Tracks, then clusters of
 * unknown size with their timecode in 8 bytes, a Position of 0 and SimpleBlocks; tags before the cluster that they describe.
 */

export type ProducerTrack = {
  readonly number: number;
  /** Matroska's track type: 1 video, 2 audio, 33 metadata. */
  readonly type: number;
  readonly codecId: string;
  readonly codecPrivate: Uint8Array;
};

export type Cluster = {
  readonly timecode: number;
  readonly frames: readonly Frame[];
  readonly tags?: Readonly<Record<string, string>>;
  /** As producers send it: `SimpleBlock` in a cluster of unknown size. Other muxers do otherwise. */
  readonly isSized?: boolean;
  readonly isGrouped?: boolean;
};

export type Frame = {
  readonly track: number;
  readonly relative: number;
  readonly isKey?: boolean;
  readonly payload: Uint8Array;
};

/** Main profile, level 4.0, with four bytes of NAL length. */
const avcC = Buffer.from('014d4028ffe1000c674d402895a01e0089f95001010004 68ee3c80'.replaceAll(' ', ''), 'hex');

export const h264: ProducerTrack = { number: 1, type: 1, codecId: 'V_MPEG4/ISO/AVC', codecPrivate: avcC };
export const aac: ProducerTrack = { number: 2, type: 2, codecId: 'A_AAC', codecPrivate: Uint8Array.of(0x11, 0x88) };

/** An element: identifier in hexadecimal, then its size in 8 bytes as PIC has it, or in the fewest. */
export function element(id: string, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const size = Buffer.alloc(8);
  size.writeBigUInt64BE(BigInt(body.length) | (1n << 56n));
  return Buffer.concat([Buffer.from(id, 'hex'), size, body]);
}

/** An element that ends with the next one of its level. */
export function openElement(id: string): Buffer {
  return Buffer.from(`${id}01ffffffffffffff`, 'hex');
}

function number(id: string, value: number, length = 8): Buffer {
  const body = Buffer.alloc(8);
  body.writeBigUInt64BE(BigInt(value));
  return element(id, body.subarray(8 - length));
}

function text(id: string, value: string): Buffer {
  return element(id, Buffer.from(value));
}

export function ebmlHead(docType = 'matroska'): Buffer {
  return element(
    '1a45dfa3',
    number('4286', 1, 1),
    number('42f7', 1, 1),
    number('42f2', 4, 1),
    number('42f3', 8, 1),
    text('4282', docType),
    number('4287', 2, 1),
    number('4285', 2, 1),
  );
}

export function trackEntry({ number: trackNumber, type, codecId, codecPrivate }: ProducerTrack): Buffer {
  const described =
    type === 1
      ? [element('e0', number('b0', 640, 2), number('ba', 360, 2))]
      : type === 2
        ? [element('e1', Buffer.from('b58840e7700000000000', 'hex'), number('9f', 1, 1))]
        : [];
  return element(
    'ae',
    number('d7', trackNumber, 1),
    number('73c5', trackNumber),
    number('83', type, 1),
    text('86', codecId),
    text('536e', `kvs_${trackNumber}`),
    element('63a2', codecPrivate),
    ...described,
  );
}

/** Everything before the first cluster. */
export function head(
  tracks: readonly ProducerTrack[] = [h264],
  options: { readonly timecodeScaleNs?: number; readonly isSized?: boolean } = {},
): Buffer {
  const info = element(
    '1549a966',
    element('73a4', Buffer.alloc(16, 7)),
    number('2ad7b1', options.timecodeScaleNs ?? 1_000_000, 4),
    text('7ba9', 'Kinesis Video SDK'),
    text('4d80', 'Kinesis Video SDK 1.0.0'),
    text('5741', 'Kinesis Video SDK 1.0.0'),
  );
  return Buffer.concat([ebmlHead(), openElement('18538067'), info, element('1654ae6b', ...tracks.map(trackEntry))]);
}

/** Each tag in an element of its own, as PIC sends them. */
export function tags(values: Readonly<Record<string, string>>): Buffer {
  return Buffer.concat(
    Object.entries(values).map(([name, value]) =>
      element('1254c367', element('7373', element('67c8', text('45a3', name), text('4487', value)))),
    ),
  );
}

export const endOfFragment = tags({ AWS_KINESISVIDEO_END_OF_FRAGMENT: '' });

/** The bytes of the cluster alone: what is stored. */
export function cluster({ timecode, frames, isSized, isGrouped }: Cluster): Buffer {
  const blocks = frames.map(({ track, relative, isKey, payload }) => {
    const block = Buffer.alloc(4);
    block[0] = 0x80 | track;
    block.writeInt16BE(relative, 1);
    block[3] = isKey === true && isGrouped !== true ? 0x80 : 0;
    if (isGrouped !== true) return element('a3', block, payload);
    const reference = isKey === true ? [] : [number('fb', 1, 1)];
    return element('a0', element('a1', block, payload), number('9b', 40, 1), ...reference);
  });
  const body = [number('e7', timecode), ...(isSized === true ? [] : [number('a7', 0)]), ...blocks];
  return isSized === true ? element('1f43b675', ...body) : Buffer.concat([openElement('1f43b675'), ...body]);
}

/** With its tags before it. */
export function fragment(options: Cluster): Buffer {
  return Buffer.concat([options.tags === undefined ? Buffer.alloc(0) : tags(options.tags), cluster(options)]);
}

/** One H.264 picture as one NAL unit that tells its number. */
export function picture(id: number, options: { readonly isKey: boolean; readonly bytes?: number }): Buffer {
  const payload = Buffer.alloc(Math.max(9, options.bytes ?? 64), id % 251);
  payload.writeUInt32BE(payload.length - 4);
  payload[4] = options.isKey ? 0x65 : 0x41;
  payload.writeUInt32BE(id, 5);
  return payload;
}

/** A fragment of pictures, 40 ms apart, of which the first is key. */
export function pictures(options: {
  readonly timecode: number;
  readonly firstId: number;
  readonly count?: number;
  readonly bytes?: number;
  readonly tags?: Readonly<Record<string, string>>;
  readonly isSized?: boolean;
  readonly isGrouped?: boolean;
}): Cluster {
  const { firstId, count = 5, bytes, ...others } = options;
  const size = bytes === undefined ? {} : { bytes };
  const frames = Array.from({ length: count }, (_, i) => ({
    track: 1,
    relative: i * 40,
    isKey: i === 0,
    payload: picture(firstId + i, { isKey: i === 0, ...size }),
  }));
  return { ...others, frames };
}

/** Clusters of five pictures, one after the other. */
export function footage(options: {
  readonly beginTimecode: number;
  readonly fragments: number;
  readonly firstId?: number;
}): Cluster[] {
  const { beginTimecode, fragments, firstId = 1 } = options;
  return Array.from({ length: fragments }, (_, i) =>
    pictures({ timecode: beginTimecode + i * 200, firstId: firstId + 5 * i }),
  );
}
