import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const own = (path: string) => pathToFileURL(join(import.meta.dirname, '..', '..', '..', path)).href;

/** A process that has used up its descriptors, and then wants children for sound and for pictures. */
const script = `
import { openSync } from 'node:fs';
import { opusToAac } from '${own('gateway/webrtc/audio/index.ts')}';
import { ConvertingChild } from '${own('gateway/webrtc/bridge/converting-child.ts')}';
import { systemClock } from '${own('storage/base/clock.ts')}';
import { silentLog } from '${own('storage/base/log.ts')}';
const deps = { clock: systemClock, log: silentLog, random: Math.random, ffmpeg: 'ffmpeg' };
const told = [];
const tell = (what) => {
  told.push(what);
  if (told.length < 2) return;
  console.log(JSON.stringify(told.sort()));
  process.exit(0);
};
const sound = opusToAac(deps, { onPacket() {}, onNote: () => tell('sound') });
const codecPrivate = new Uint8Array(8);
const track = { number: 1, kind: 'video', codec: 'h264', codecId: 'V_MPEG4/ISO/AVC', codecString: 'avc1', codecPrivate };
try {
  for (;;) openSync('/dev/null', 'r');
} catch {}
sound.push({ presentationTimeUs: 0, bytes: Uint8Array.of(0xfc, 0xff, 0xfe) });
const events = { config() {}, picture() {}, ended: () => tell('pictures') };
const child = ConvertingChild.start(deps, { arguments: [], track }, events);
child.write({ timeMs: 0, isKey: true, bytes: new Uint8Array(8) });
`;

test('children that cannot be started since descriptors are used up are said, and end nothing else', async () => {
  const command = 'ulimit -n 100 && exec "$0" --input-type=module -e "$1"';

  const { stdout } = await promisify(execFile)('bash', ['-c', command, process.execPath, script]);

  expect(JSON.parse(stdout)).toEqual(['pictures', 'sound']);
});
