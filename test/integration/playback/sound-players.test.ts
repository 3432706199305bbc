/** Sound of every codec in players of other makers: mpv and GStreamer, from HLS and from MP4 clips. A tone must be a tone. */

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Clips, Hls } from '../../../gateway/playback/index.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { runCommand } from '../../kit/run-command.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { codedClip } from './coded-clips.ts';
import { beginMs, RecordedStream, streamId } from './recorded-stream.ts';
import { serveHls } from './serve-hls.ts';

const seconds = 6;
const samplesPerSecond = 8_000;
const toneHz = 440;

/** Plays a file or playlist to its end, and returns the sound as 16-bit samples of one channel. */
type Player = (url: string, target: string) => Promise<Int16Array>;

const mpv: Player = async (url, target) => {
  const filter = `lavfi=[aresample=${samplesPerSecond},aformat=sample_fmts=s16:channel_layouts=mono]`;
  const played = await runCommand('mpv', [
    ...['--no-config', '--vo=null', '--untimed', '--really-quiet', '--msg-level=all=warn', `--af=${filter}`],
    ...['--ao=pcm', '--ao-pcm-waveheader=no', `--ao-pcm-file=${target}`, url],
  ]);
  expect(played.code, played.err + played.out).toBe(0);
  return samplesIn(target);
};

const gstreamer: Player = async (url, target) => {
  const format = `audio/x-raw,format=S16LE,rate=${samplesPerSecond},channels=1`;
  const sink = `audioconvert ! audioresample ! ${format} ! filesink location=${target}`;
  const uri = url.startsWith('/') ? `file://${url}` : url;
  const played = await runCommand('gst-launch-1.0', [
    ...['-q', 'playbin3', `uri=${uri}`, 'video-sink=fakesink sync=false', `audio-sink=${sink}`],
  ]);
  expect(played.code, played.err + played.out).toBe(0);
  return samplesIn(target);
};

async function samplesIn(path: string): Promise<Int16Array> {
  const bytes = Uint8Array.from(await readFile(path));
  return new Int16Array(bytes.buffer, 0, bytes.length >> 1);
}

function isTone(samples: Int16Array): void {
  expect(samples.length / samplesPerSecond).toBeGreaterThan(seconds - 0.3);
  expect(samples.length / samplesPerSecond).toBeLessThan(seconds + 0.3);
  const middle = samples.subarray(samplesPerSecond, samplesPerSecond * (seconds - 1));
  const crossings = middle.reduce((sum, value, at) => sum + ((middle[at - 1] ?? value) < 0 !== value < 0 ? 1 : 0), 0);
  expect(crossings / (2 * (seconds - 2))).toBeCloseTo(toneHz, -1);
  expect(Math.max(...middle)).toBeGreaterThan(1_000);
}

const players = { mpv, gstreamer } as const;

test.each(
  (['aac', 'opus', 'pcmu', 'pcma'] as const).flatMap((audio) =>
    (['mpv', 'gstreamer'] as const).map((player) => [audio, player] as const),
  ),
)('%s in fMP4 is heard in %s, by HLS and from a clip', async (audio, player) => {
  const stream = new RecordedStream();
  stream.addRun(await codedClip({ seconds, audio }), { atMs: beginMs });
  const directory = await temporaryDirectory();
  const origin = await serveHls(new Hls({ source: stream, clock: new SimulatedClock(beginMs + 3_600_000) }));
  const file = join(directory, 'clip.mp4');
  const clip = await new Clips({ source: stream, log: silentLog }).open(streamId, { beginMs, endMs: beginMs + 60_000 });
  await writeFile(file, clip.read());

  const playlist = `${origin}/hls/master.m3u8?begin=${beginMs}&end=${beginMs + 60_000}`;
  const fromHls = await players[player](playlist, join(directory, 'hls.raw'));
  const fromClip = await players[player](file, join(directory, 'clip.raw'));

  isTone(fromHls);
  isTone(fromClip);
});
