/** Whoever starts ffmpeg: what the program gets to see of us, and when it is to go. */

import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { DemoEncoder } from '../../../appliance/demo/encoder.ts';
import { probeFile } from '../../../gateway/import/media-file.ts';
import { remux } from '../../../gateway/import/remux.ts';
import { runFfmpeg } from '../../../gateway/playback/convert/ffmpeg-run.ts';
import { PictureDecoder } from '../../../gateway/playback/images/picture-decoder.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { mediaEnvironment } from '../../../storage/base/media-programs.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';

const clock = systemClock;
const log = silentLog;
const { signal } = new AbortController();
const input = Uint8Array.of(1);

/** Starts `program` as one of our parts does, which may fail: it says nothing that anybody expects. */
const starters: readonly { who: string; start(program: string): void; isLast: boolean }[] = [
  {
    who: 'a conversion',
    isLast: true,
    start: (ffmpeg) => {
      const work = { arguments: [], input, timeoutMs: 30_000, outputBytesMax: 1_000, signal };
      void runFfmpeg({ clock, ffmpeg }, work).catch(() => {});
    },
  },
  {
    who: 'a picture',
    isLast: true,
    start: (ffmpeg) => {
      const decoder = new PictureDecoder({ clock, log, ffmpeg }, { codec: 'h264', widthPixels: 2, heightPixels: 2 });
      onTestFinished(() => decoder.close());
      void decoder.decode(input).catch(() => {});
    },
  },
  {
    who: 'a look into a file',
    isLast: true,
    start: (ffprobePath) => void probeFile({ clock }, { path: '/dev/null', ffprobePath, signal }).catch(() => {}),
  },
  {
    who: 'an import',
    isLast: true,
    start: (ffmpegPath) => {
      const file = { isTransportStream: false, durationMs: 1, creationMs: 1, tracks: [], notes: [] };
      const child = remux(file, { path: '/dev/null', ffmpegPath });
      onTestFinished(child.kill);
      child.output.resume();
    },
  },
  {
    who: 'the demo camera',
    isLast: false,
    start: (ffmpegPath) => {
      const sink = { began: () => {}, picture: () => {}, sound: () => {} };
      const encoder = new DemoEncoder({ clock, log, sink }, { ffmpegPath });
      onTestFinished(() => encoder.close());
      encoder.start();
    },
  },
];

test.each(starters)('$who starts a program that sees no secret of ours', async ({ start, isLast }) => {
  vi.stubEnv('WEIR_OBJECTS_S3_SECRET_KEY', 'hush');
  vi.stubEnv('LIBVA_DRIVER_NAME', 'iHD');
  onTestFinished(() => void vi.unstubAllEnvs());
  const program = join(await temporaryDirectory(), 'program');
  // The shell is put behind others right after its start: it waits for that, a while at most.
  const patience = isLast
    ? 'n=0; while [ $n -lt 200 ] && ! grep -q 1000 /proc/$$/oom_score_adj; do n=$((n+1)); sleep 0.05; done'
    : ':';
  await writeFile(
    program,
    `#!/bin/sh\n${patience}\n(env; cat /proc/$$/oom_score_adj) > "$0.new"\nmv "$0.new" "$0.seen"\n`,
  );
  await chmod(program, 0o700);

  start(program);
  const seen = await until('it ran', () => readFile(`${program}.seen`, 'utf8').catch(() => undefined));

  expect(seen).toContain('LIBVA_DRIVER_NAME=iHD\n');
  expect(seen).toContain('PATH=');
  expect(seen).not.toContain('hush');
  expect(seen.trim().split('\n').at(-1) === '1000').toBe(isLast);
});

test('what hardware encoders are told by goes through, and nothing that nobody named', () => {
  const given = {
    PATH: '/bin',
    HOME: '/',
    LANG: 'C',
    LD_LIBRARY_PATH: '/l',
    CUDA_VISIBLE_DEVICES: '0',
    LIBVA_DRIVERS_PATH: '/d',
  };

  expect(mediaEnvironment({ ...given, NODE_OPTIONS: '-r x', FFREPORT: 'file=/x', AWS_SECRET_ACCESS_KEY: 'y' })).toEqual(
    given,
  );
});
