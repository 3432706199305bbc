/**
 * `npm run bench [-- --quick] [-- --out FILE] [-- --only recording,webrtc]`: measures side by side in one run, prints tables, writes
 * JSON. `--quick` takes shorter windows and smaller indexes; without `--only` it measures the main rows alone, within three minutes.
 * Absolute times depend on the machine; the ratios are what README and docs quote.
 */

import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { benchConversion } from './conversion.ts';
import { benchGetMedia } from './get-media.ts';
import { benchImport } from './import.ts';
import { benchIndex } from './index-range.ts';
import { benchListFragments } from './list-fragments.ts';
import { benchLowLatency } from './low-latency.ts';
import { benchPlayback } from './playback.ts';
import { benchPublishers } from './publishers.ts';
import { benchPutMedia } from './put-media.ts';
import { benchRecording } from './recording.ts';
import { benchRestart } from './restart.ts';
import { benchRtspOut } from './rtsp-out.ts';
import { benchS3 } from './s3.ts';
import { benchSite } from './site.ts';
import { printTable, type Row } from './table.ts';
import { benchWebRtc } from './webrtc.ts';
import { benchWebRtcBridge } from './webrtc-bridge.ts';

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    out: { type: 'string' },
    only: { type: 'string' },
    minutes: { type: 'string', default: '20' },
  },
});

const seconds = 1_000;
const window = flags.quick
  ? { warmUpMs: 8 * seconds, windowMs: 20 * seconds }
  : { warmUpMs: 15 * seconds, windowMs: 60 * seconds };

const parts: Readonly<Record<string, () => Promise<Row[]>>> = {
  recording: async () => [
    ...(await benchRecording({ cameras: 20, mode: 'paced', ...window, withFfmpeg: true })),
    ...(flags.quick ? [] : await benchRecording({ cameras: 20, mode: 'burst', ...window, withFfmpeg: true })),
  ],
  many: async () =>
    flags.quick
      ? []
      : await benchRecording({
          cameras: 100,
          mode: 'burst',
          warmUpMs: 30 * seconds,
          windowMs: 120 * seconds,
          withFfmpeg: false,
        }),
  publishers: () => benchPublishers({ cameras: 20, ...window }),
  'put-media': () => benchPutMedia({ uploads: 40, windowMs: window.windowMs }),
  'rtsp-out': () => benchRtspOut({ readers: 50, windowMs: window.windowMs }),
  'get-media': () => benchGetMedia({ readers: 50, windowMs: window.windowMs }),
  'list-fragments': () => benchListFragments({ segments: flags.quick ? 100_000 : 1_000_000 }),
  playback: () => benchPlayback({ isQuick: flags.quick }),
  'low-latency': () => benchLowLatency({ isQuick: flags.quick }),
  webrtc: () => benchWebRtc({ isQuick: flags.quick }),
  'webrtc-bridge': () => benchWebRtcBridge({ windowMs: window.windowMs }),
  conversion: () => benchConversion({ isQuick: flags.quick }),
  import: () => benchImport({ isQuick: flags.quick }),
  index: () => benchIndex({ segments: flags.quick ? 100_000 : 1_000_000 }),
  s3: () => benchS3({ isQuick: flags.quick }),
  restart: () => benchRestart({ segments: flags.quick ? 100_000 : 1_000_000 }),
};

/** Proofs that take their time: only when they are asked for by name. */
const longParts: typeof parts = {
  site: () => benchSite({ minutes: Number(flags.minutes) }),
};

const mainParts = ['recording', 'playback', 'index', 'restart'];

const known = { ...parts, ...longParts };
const wanted = flags.only?.split(',') ?? (flags.quick ? mainParts : Object.keys(parts));
const unknown = wanted.filter((name) => !(name in known));
if (unknown.length > 0) {
  throw new Error(`no such part: ${unknown.join(', ')}; there are ${Object.keys(known).join(', ')}`);
}

const results: Record<string, Row[]> = {};
for (const [name, part] of Object.entries(known)) {
  if (!wanted.includes(name)) continue;
  process.stderr.write(`measuring ${name} ...\n`);
  const rows = await part();
  if (rows.length === 0) continue;
  results[name] = rows;
  printTable(name, rows);
}
if (flags.out !== undefined) {
  const machine = { cpu: cpus()[0]?.model ?? '', cores: cpus().length, node: process.version };
  await writeFile(flags.out, `${JSON.stringify({ machine, results }, null, 2)}\n`);
}
