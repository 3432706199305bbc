/** Packets of a transport stream (ISO/IEC 13818-1 2.4.3.2) into one buffer, with the counters of each PID. */

import { assert } from '../base/assert.ts';

export const tsPacketBytes = 188;
const headBytes = 4;
/** What is left behind the head of a packet. */
export const tsPayloadBytes = tsPacketBytes - headBytes;
/** Length, flags and a clock reference; without the latter two bytes. */
const clockFieldBytes = 8;
const flagsFieldBytes = 2;
const counterValues = 16;

export type TsUnitOptions = {
  /** A decoder may begin here. */
  readonly isRandomAccess: boolean;
  /** The PID ends here: its packets are made a multiple of 16, so that another segment's follow on. */
  readonly isLast: boolean;
  /** Clock reference, 90 kHz. */
  readonly clock?: number;
};

export class TsWriter {
  readonly #target: Uint8Array;
  readonly #counts = new Map<number, number>();
  #at = 0;

  constructor(packetsMax: number) {
    this.#target = new Uint8Array(packetsMax * tsPacketBytes);
  }

  /** What was written: a view. */
  bytes(): Uint8Array {
    return this.#target.subarray(0, this.#at);
  }

  /** One table, in a packet of its own. */
  section(pid: number, section: Uint8Array): void {
    const begin = this.#head(pid, { isStart: true, hasField: false });
    this.#target.fill(0xff, begin, begin + tsPayloadBytes);
    // pointer_field: the section begins at once.
    this.#target[begin] = 0;
    this.#target.set(section, begin + 1);
  }

  /** One unit of an elementary stream, its head first. */
  packets(pid: number, parts: readonly Uint8Array[], options: TsUnitOptions): void {
    const bytes = Buffer.concat(parts);
    const fieldBytes = options.clock !== undefined ? clockFieldBytes : options.isRandomAccess ? flagsFieldBytes : 0;
    const natural = Math.max(1, Math.ceil((bytes.length + fieldBytes) / tsPayloadBytes));
    const count = natural + (options.isLast ? this.#missing(pid, natural) : 0);
    assert(bytes.length >= count, 'every packet of a unit has a byte of it');
    let taken = 0;
    for (let packet = 0; packet < count; packet++) {
      const isStart = packet === 0;
      const room = tsPayloadBytes - (isStart ? fieldBytes : 0);
      const payload = Math.min(room, bytes.length - taken - (count - packet - 1));
      const field = tsPayloadBytes - payload;
      const begin = this.#head(pid, { isStart, hasField: field > 0 });
      if (field > 0) this.#field(begin, field, isStart ? options : undefined);
      this.#target.set(bytes.subarray(taken, taken + payload), begin + field);
      taken += payload;
    }
  }

  /** How many packets more make the PID's a multiple of 16. */
  #missing(pid: number, natural: number): number {
    const over = ((this.#counts.get(pid) ?? 0) + natural) % counterValues;
    return over === 0 ? 0 : counterValues - over;
  }

  /** Writes a packet's head and returns where its rest begins; the packet is counted. */
  #head(pid: number, { isStart, hasField }: { readonly isStart: boolean; readonly hasField: boolean }): number {
    const at = this.#at;
    const count = this.#counts.get(pid) ?? 0;
    assert(at + tsPacketBytes <= this.#target.length, 'the packets of a segment fit');
    this.#target[at] = 0x47;
    this.#target[at + 1] = (isStart ? 0x40 : 0) | (pid >> 8);
    this.#target[at + 2] = pid & 0xff;
    this.#target[at + 3] = (hasField ? 0x30 : 0x10) | (count % counterValues);
    this.#counts.set(pid, count + 1);
    this.#at = at + tsPacketBytes;
    return at + headBytes;
  }

  /** Adaptation field of so many bytes, its length byte included: flags, clock reference, stuffing. */
  #field(at: number, byteLength: number, options: TsUnitOptions | undefined): void {
    const target = this.#target;
    target[at] = byteLength - 1;
    if (byteLength === 1) return;
    target.fill(0xff, at + flagsFieldBytes, at + byteLength);
    const clock = options?.clock;
    target[at + 1] = (options?.isRandomAccess === true ? 0x40 : 0) | (clock === undefined ? 0 : 0x10);
    if (clock === undefined) return;
    // 33 bits of base, 6 reserved, 9 of extension.
    new DataView(target.buffer).setUint32(at + 2, Math.floor(clock / 2));
    target[at + 6] = ((clock % 2) << 7) | 0x7e;
    target[at + 7] = 0;
  }
}
