/**
 * Frame numbers inside the coded pictures: an SEI "user data unregistered" with a UUID of ours and ten decimal digits. They
 * survive every container, so stored files tell by themselves which frames of which camera they hold.
 */

import { readFile } from 'node:fs/promises';

/** No zero bytes, so that no emulation prevention is ever needed. */
const uuid = Buffer.from('9e3d57c1a84b4f6d8e21c7f35b96d2a4', 'hex');
const digits = 10;
const cameraDigits = 4;

/** Where the digits stand inside the NAL unit that `frameNumberNal` gives. */
export function frameNumberNal(codec: 'h264' | 'h265'): { readonly nal: Buffer; readonly digitsAt: number } {
  const head = codec === 'h264' ? [0x06] : [0x4e, 0x01];
  const payloadBytes = uuid.length + cameraDigits + digits;
  const nal = Buffer.concat([
    Buffer.from([...head, 5, payloadBytes]),
    uuid,
    Buffer.alloc(cameraDigits + digits, 0x30),
    Buffer.from([0x80]),
  ]);
  return { nal, digitsAt: head.length + 2 + uuid.length };
}

export function writeFrameNumber(target: Buffer, at: number, camera: number, frame: number): void {
  writeDigits(target, at, cameraDigits, camera);
  writeDigits(target, at + cameraDigits, digits, frame);
}

function writeDigits(target: Buffer, at: number, count: number, value: number): void {
  let rest = value;
  for (let i = count - 1; i >= 0; i--) {
    target[at + i] = 0x30 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
}

/** All frame numbers in stored bytes, in the order in which they lie there. */
export function frameNumbersIn(bytes: Buffer): { readonly camera: number; readonly frame: number }[] {
  const found: { camera: number; frame: number }[] = [];
  for (let at = bytes.indexOf(uuid); at >= 0; at = bytes.indexOf(uuid, at + uuid.length)) {
    const text = bytes.toString('latin1', at + uuid.length, at + uuid.length + cameraDigits + digits);
    if (/^\d{14}$/.test(text)) {
      found.push({ camera: Number(text.slice(0, cameraDigits)), frame: Number(text.slice(cameraDigits)) });
    }
  }
  return found;
}

/** Frame numbers in several files, sorted, with the missing ones between the first and the last. */
export async function judgeFrames(paths: readonly string[]): Promise<{
  readonly frames: readonly number[];
  readonly missing: readonly number[];
  readonly doubled: readonly number[];
}> {
  const counts = new Map<number, number>();
  for (const path of paths) {
    for (const { frame } of frameNumbersIn(await readFile(path))) counts.set(frame, (counts.get(frame) ?? 0) + 1);
  }
  const frames = [...counts.keys()].sort((a, b) => a - b);
  const missing: number[] = [];
  for (let i = 1; i < frames.length; i++) {
    for (let frame = (frames[i - 1] ?? 0) + 1; frame < (frames[i] ?? 0); frame++) missing.push(frame);
  }
  return { frames, missing, doubled: frames.filter((frame) => (counts.get(frame) ?? 0) > 1) };
}
