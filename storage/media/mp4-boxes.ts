/** ISO base media file format (ISO/IEC 14496-12): how boxes are put together. */

import { joinBytes } from './ebml.ts';

/** One box: size, type, parts. */
export function box(type: string, ...parts: readonly Uint8Array[]): Uint8Array {
  const head = new Uint8Array(8);
  head.set(Buffer.from(type, 'latin1'), 4);
  const bytes = joinBytes([head, ...parts]);
  new DataView(bytes.buffer).setUint32(0, bytes.length);
  return bytes;
}

/** A box with version and flags. */
export function fullBox(type: string, version: number, flags: number, ...parts: readonly Uint8Array[]): Uint8Array {
  return box(type, u32(version * 0x1000000 + flags), ...parts);
}

export function u8(...values: readonly number[]): Uint8Array {
  return Uint8Array.from(values);
}

export function u16(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(2 * values.length);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of values.entries()) view.setUint16(2 * i, value);
  return bytes;
}

export function u32(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of values.entries()) view.setUint32(4 * i, value);
  return bytes;
}

/** @param values  whole, 0 .. 2^53 */
export function u64(...values: readonly number[]): Uint8Array {
  return u32(...values.flatMap((value) => [Math.floor(value / 2 ** 32), value % 2 ** 32]));
}

export function text(value: string): Uint8Array {
  return Buffer.from(value, 'latin1');
}

export function zeros(count: number): Uint8Array {
  return new Uint8Array(count);
}
