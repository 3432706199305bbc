/**
 * AMF0 as publishers write it in commands (Action Message Format 0, version of 2007): read with bounds on depth and count, into
 * values without prototype. Writing is `node-media-server`'s part.
 */

import { appError } from '../../storage/base/errors.ts';
import { rtmpLimits } from './limits.ts';

/** What a command can hold; types that no publisher needs (references, XML, dates) are read as undefined. */
export type AmfValue = number | boolean | string | null | undefined | AmfObject | readonly AmfValue[];
export type AmfObject = ReadonlyMap<string, AmfValue>;

/** Marker bytes, chapter 2. */
const markers = {
  number: 0x00,
  boolean: 0x01,
  string: 0x02,
  object: 0x03,
  null: 0x05,
  undefined: 0x06,
  reference: 0x07,
  ecmaArray: 0x08,
  objectEnd: 0x09,
  strictArray: 0x0a,
  date: 0x0b,
  longString: 0x0c,
  unsupported: 0x0d,
  xmlDocument: 0x0f,
  typedObject: 0x10,
} as const;

/**
 * All values of a message, in order.
 *
 * @throws AppError data_loss           it is cut off or holds an unknown type
 * @throws AppError resource_exhausted  it is deeper or has more values than `rtmpLimits` allow
 */
export function readAmf0(bytes: Uint8Array): AmfValue[] {
  const reader = new AmfReader(bytes);
  const values: AmfValue[] = [];
  while (!reader.isAtEnd) values.push(reader.value(0));
  return values;
}

class AmfReader {
  readonly #bytes: Buffer;
  #at = 0;
  #values = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  value(depth: number): AmfValue {
    if (depth > rtmpLimits.amfDepthMax || ++this.#values > rtmpLimits.amfValuesMax) {
      throw appError('resource_exhausted', 'amf message is too deep or has too many values', { byteOffset: this.#at });
    }
    const marker = this.#take(1)[0];
    switch (marker) {
      case markers.number:
        return this.#take(8).readDoubleBE();
      case markers.boolean:
        return this.#take(1)[0] !== 0;
      case markers.string:
        return this.#string(this.#take(2).readUInt16BE());
      case markers.longString:
        return this.#string(this.#take(4).readUInt32BE());
      case markers.object:
        return this.#object(depth);
      case markers.ecmaArray:
        this.#take(4);
        return this.#object(depth);
      case markers.typedObject:
        this.#string(this.#take(2).readUInt16BE());
        return this.#object(depth);
      case markers.strictArray:
        return this.#array(this.#take(4).readUInt32BE(), depth);
      case markers.null:
        return null;
      case markers.undefined:
      case markers.unsupported:
        return undefined;
      case markers.reference:
        this.#take(2);
        return undefined;
      case markers.date:
        this.#take(10);
        return undefined;
      case markers.xmlDocument:
        this.#take(this.#take(4).readUInt32BE());
        return undefined;
      default:
        throw appError('data_loss', 'amf type is unknown', { marker, byteOffset: this.#at - 1 });
    }
  }

  #object(depth: number): AmfObject {
    const properties = new Map<string, AmfValue>();
    for (;;) {
      const nameBytes = this.#take(2).readUInt16BE();
      if (nameBytes === 0) {
        if (this.#take(1)[0] === markers.objectEnd) return properties;
        this.#at--;
      }
      properties.set(this.#string(nameBytes), this.value(depth + 1));
    }
  }

  #array(length: number, depth: number): AmfValue[] {
    const values: AmfValue[] = [];
    for (let i = 0; i < length; i++) values.push(this.value(depth + 1));
    return values;
  }

  #string(byteLength: number): string {
    return this.#take(byteLength).toString('utf8');
  }

  #take(byteLength: number): Buffer {
    const begin = this.#at;
    this.#at += byteLength;
    if (this.#at > this.#bytes.length) throw appError('data_loss', 'amf message is cut off', { byteOffset: begin });
    return this.#bytes.subarray(begin, this.#at);
  }
}
