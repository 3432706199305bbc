/**
 * Cameras as they are: killed, changed, silent, odd, wrong, and servers that are no cameras. Real ones are GStreamer's RTSP
 * server, whose pictures carry their numbers: what ffmpeg decodes from the stored files is held against the ledger.
 */

import { symlink, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { basename, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type RunningAppliance, startAppliance } from '../kit/appliance.ts';
import { judgeFrames, startCameraSimulator } from '../kit/camera-simulator/index.ts';
import {
  addCamera,
  addSimulated,
  type CameraIds,
  judged,
  nothingWrong,
  type Pictures,
  timeline,
  untilRecorded,
  untilState,
} from '../kit/footage.ts';
import { type GstCamera, type GstCameraOptions, readFrameNumbers, startGstCamera } from '../kit/gst-camera.ts';
import { checkFindings, probeFrames, segmentFiles } from '../kit/judge.ts';
import { freePort, temporaryDirectory } from '../kit/temp.ts';
import { until } from '../kit/until.ts';

const framesPerSecond = 10;
const small = { widthPixels: 320, heightPixels: 180, framesPerSecond, gopFrames: 10, kilobitsPerSecond: 200 } as const;
const simulated = {
  widthPixels: 320,
  heightPixels: 180,
  bitsPerSecond: 200_000,
  gopFrames: 12,
  framesPerSecond: 12,
} as const;

/** Numbers in a stream's files, run by run: a file may begin within a GOP, and only the whole run decodes. */
async function decodedPictures(dataDirectory: string, streamId: string): Promise<Pictures> {
  const runs = new Map<string, string[]>();
  for (const file of await segmentFiles(dataDirectory, streamId)) {
    const runId = basename(file).split('-')[1] ?? '';
    runs.set(runId, [...(runs.get(runId) ?? []), file]);
  }
  const numbers: number[] = [];
  for (const files of runs.values()) {
    const directory = await temporaryDirectory();
    for (const [i, file] of files.entries()) await symlink(file, join(directory, `${i}.mkv`));
    const list = join(directory, 'list.txt');
    await writeFile(list, files.map((_, i) => `file ${i}.mkv\n`).join(''));
    numbers.push(...(await readFrameNumbers(list, { format: 'concat' })));
  }
  const frames = [...new Set(numbers)].sort((a, b) => a - b);
  const missing: number[] = [];
  for (let number = frames[0] ?? 0; number < (frames.at(-1) ?? 0); number++)
    if (!frames.includes(number)) missing.push(number);
  return { frames, missing, doubled: numbers.filter((number, i) => numbers.indexOf(number) !== i) };
}

/** Why runs of a stream began, as the log tells it. */
function runReasons(appliance: RunningAppliance, streamId: string): string[] {
  return appliance
    .output()
    .split('\n')
    .filter((line) => line.includes('"run began"') && line.includes(streamId))
    .map((line) => (JSON.parse(line) as { reason: string }).reason);
}

type Recorded = CameraIds & { readonly camera: GstCamera };

async function addGst(
  appliance: RunningAppliance,
  name: string,
  options: GstCameraOptions,
  source: { readonly transport?: 'tcp' | 'udp'; readonly tls?: 'verify' | 'any' } = {},
): Promise<Recorded> {
  const camera = await startGstCamera({ ...small, ...options });
  const { username, password, auth } = camera.options;
  const settings = auth === 'none' ? {} : { credentials: { username, password } };
  return { camera, ...(await addCamera(appliance, name, { url: camera.url, ...source }, settings)) };
}

test('real cameras of all kinds are recorded picture by picture, and what they do wrong costs only them, with its reason', {
  timeout: 180_000,
}, async () => {
  const dataDirectory = await temporaryDirectory();
  const appliance = await startAppliance({ dataDirectory });
  onTestFinished(() => appliance.close());
  const beginMs = Date.now();
  const [killed, changed, silent, longGops, lateSound, bFrames, udp, secret, modern] = await Promise.all([
    addGst(appliance, 'killed', { audio: 'aac' }),
    addGst(appliance, 'changed', {}),
    addGst(appliance, 'silent', {}),
    addGst(appliance, 'long GOPs', { gopFrames: 20 * framesPerSecond, audio: 'pcmu' }),
    addGst(appliance, 'late sound', { audio: 'pcma', isAudioStopped: true }),
    addGst(appliance, 'B-frames', { bFrames: 2, audio: 'aac' }),
    addGst(appliance, 'UDP', { audio: 'pcma' }, { transport: 'udp' }),
    addGst(appliance, 'secret', { tls: true, auth: 'digest', audio: 'aac' }, { tls: 'any' }),
    addGst(appliance, 'modern', { codec: 'h265', audio: 'opus' }),
  ]);
  const all = { killed, changed, silent, longGops, lateSound, bFrames, udp, secret, modern };
  const allRecorded = async () => {
    const atMs = Date.now() + 1_000;
    for (const { streamId } of Object.values(all)) await untilRecorded(appliance, streamId, atMs);
  };
  await allRecorded();

  await Promise.all([
    (async () => {
      await killed.camera.kill();
      await untilState(appliance, killed.cameraId, {
        what: 'nobody listens',
        is: ({ reason }) => reason === 'refused',
      });
      await killed.camera.start();
    })(),
    (async () => {
      await changed.camera.changeSize(480, 270);
      await until('a run of the new size', () => runReasons(appliance, changed.streamId).includes('tracks-changed'));
      await changed.camera.change({ codec: 'h265' });
      await until('a run of the new codec', () => runReasons(appliance, changed.streamId).length >= 3);
    })(),
    (async () => {
      await silent.camera.pause();
      await untilState(appliance, silent.cameraId, {
        what: 'it is silent',
        is: ({ reason }) => reason === 'source-silent',
      });
      await silent.camera.resume();
    })(),
    (async () => {
      await lateSound.camera.startAudio();
      await until('the sound is taken in', () => runReasons(appliance, lateSound.streamId).at(-1) === 'track-returned');
      await lateSound.camera.stopAudio();
      await until(
        'it goes on without sound',
        () => runReasons(appliance, lateSound.streamId).at(-1) === 'track-silent',
      );
      await lateSound.camera.startAudio();
      await until('the sound is back', () => runReasons(appliance, lateSound.streamId).at(-1) === 'track-returned');
    })(),
  ]);
  await allRecorded();
  const gapsOf = async ({ streamId }: CameraIds) =>
    (await timeline(appliance, streamId, beginMs)).gaps.filter((gap) => !gap.reasons.includes('connecting'));
  const expectGap = ({ streamId }: CameraIds, reason: string) =>
    until(`the ledger has ${reason}`, async () =>
      (await gapsOf({ cameraId: '', streamId })).find(
        (gap) => gap.reasons.includes(reason) && gap.endMs < Date.now() - 1_000,
      ),
    );
  await expectGap(killed, 'refused');
  await expectGap(silent, 'source-silent');
  const gaps = new Map(await Promise.all(Object.values(all).map(async (one) => [one, await gapsOf(one)] as const)));
  const interrupted = [killed, changed, silent];
  await appliance.close();

  expect(await checkFindings(dataDirectory)).toEqual([]);
  for (const [name, one] of Object.entries(all)) {
    const pictures = await decodedPictures(dataDirectory, one.streamId);
    const wallMs = (frame: number) => one.camera.options.epochMs + (frame * 1_000) / framesPerSecond;
    expect({ name, ...judged(pictures, gaps.get(one) ?? [], { wallMs }) }).toEqual({ name, ...nothingWrong });
    // Minus one is a picture that could not be read.
    expect(pictures.frames[0]).toBeGreaterThanOrEqual(0);
    expect(pictures.frames.length).toBeGreaterThan(10 * framesPerSecond);
    // The end cuts in decoding order: B-frames just before the last picture may not have come yet.
    const endNumber = (pictures.frames.at(-1) ?? 0) - one.camera.options.bFrames;
    const holes = pictures.missing.filter((number) => number < endNumber);
    if (!interrupted.includes(one)) expect({ name, holes }).toEqual({ name, holes: [] });
  }
  // On a busy machine the sound may come later than the first run waits for it: it is in the last one.
  const last = (await segmentFiles(dataDirectory, modern.streamId)).at(-1) ?? '';
  expect((await probeFrames(last)).map((stream) => stream.codec_name).sort()).toEqual(['hevc', 'opus']);
});

test('what is wrong with a camera is said within seconds, with what to do, and no other camera notices', {
  timeout: 120_000,
}, async () => {
  const dataDirectory = await temporaryDirectory();
  const simulator = await startCameraSimulator({ cameras: 2, mode: 'paced', clip: simulated });
  onTestFinished(() => simulator.close());
  const locked = await startGstCamera({ ...small, auth: 'digest' });
  const appliance = await startAppliance({ dataDirectory });
  onTestFinished(() => appliance.close());
  const well = await addSimulated(appliance, simulator, 2);
  for (const { streamId } of well) await untilRecorded(appliance, streamId, Date.now());
  const credentials = { username: locked.options.username, password: 'wrong' };
  const correct = { username: locked.options.username, password: locked.options.password };
  const wrongPath = locked.url.replace('/stream', '/no-such-stream');
  const nonsense = await startServer((socket) => socket.write('220 mail.example.org ESMTP ready\r\n'));
  const flood = await startServer((socket) => pour(socket, Buffer.alloc(65_536, 'x')));
  const endlessHead = await startServer((socket) => {
    socket.write('RTSP/1.0 200 OK\r\n');
    pour(socket, Buffer.from('X-Head: one of very many\r\n'.repeat(2_000)));
  });
  const mute = await startServer(() => {});

  const cases = [
    { name: 'wrong password', url: locked.url, settings: { credentials }, reasons: ['unauthorized'] },
    { name: 'no password', url: locked.url, settings: {}, reasons: ['unauthorized'] },
    { name: 'wrong path', url: wrongPath, settings: { credentials: correct }, reasons: ['not-found'] },
    { name: 'dead port', url: `rtsp://127.0.0.1:${await freePort()}/`, settings: {}, reasons: ['refused'] },
    { name: 'unknown host', url: 'rtsp://no-such-host.invalid/', settings: {}, reasons: ['unreachable'] },
    { name: 'mail server', url: nonsense, settings: {}, reasons: ['source-silent'] },
    { name: 'flood', url: flood, settings: {}, reasons: ['protocol-error'] },
    { name: 'endless head', url: endlessHead, settings: {}, reasons: ['protocol-error'] },
    { name: 'mute', url: mute, settings: {}, reasons: ['source-silent'] },
  ];
  const shown = await Promise.all(
    cases.map(async ({ name, url, settings, reasons }) => {
      const { cameraId } = await addCamera(appliance, name, { url }, settings);
      const addedMs = Date.now();
      const state = await untilState(appliance, cameraId, {
        what: `the state of ${name}`,
        is: (one) => one.state === 'retrying' && one.reason !== null && reasons.includes(one.reason),
        timeoutMs: 20_000,
      });
      return { name, afterMs: Date.now() - addedMs, message: state.message, hint: state.hint };
    }),
  );

  // A server that took the connection is waited for as long as slow cameras need.
  const waited = ['mail server', 'mute'];
  expect(shown.filter(({ message, hint }) => !message || !hint)).toEqual([]);
  expect(shown.filter(({ name, afterMs }) => afterMs > (waited.includes(name) ? 15_000 : 8_000))).toEqual([]);
  for (const { streamId } of well) await untilRecorded(appliance, streamId, Date.now());
  for (const { cameraId } of well) {
    await untilState(appliance, cameraId, {
      what: 'it is well',
      is: (one) => one.isRecording && one.runsLastHour === 1,
    });
  }
  expect(appliance.output()).not.toContain(locked.options.password);
  await appliance.close();
  for (const { streamId } of well) {
    const { missing, doubled } = await judgeFrames(await segmentFiles(dataDirectory, streamId));
    expect({ missing, doubled }).toEqual({ missing: [], doubled: [] });
  }
  expect(await checkFindings(dataDirectory)).toEqual([]);
});

/** A TCP server that is no camera. Answers with its URL. */
async function startServer(onConnection: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    onConnection(socket);
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return `rtsp://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/`;
}

/** Sends for ever, as fast as it is taken. */
function pour(socket: Socket, bytes: Buffer): void {
  while (!socket.destroyed && socket.write(bytes));
  socket.once('drain', () => pour(socket, bytes));
}
