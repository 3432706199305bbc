/** A camera played by streaming session URLs, cut out by GetClip and shown by GetImages, as programs for AWS do it. */

import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  GetClipCommand,
  GetHLSStreamingSessionURLCommand,
  GetImagesCommand,
  KinesisVideoArchivedMediaClient,
} from '@aws-sdk/client-kinesis-video-archived-media';
import { expect, onTestFinished, test } from 'vitest';
import { startAppliance } from '../kit/appliance.ts';
import { frameNumbersIn } from '../kit/camera-simulator/frame-number.ts';
import { startCameraSimulator } from '../kit/camera-simulator/index.ts';
import { addSimulated, untilRecorded } from '../kit/footage.ts';
import { checkFindings } from '../kit/judge.ts';
import { temporaryDirectory } from '../kit/temp.ts';
import { until } from '../kit/until.ts';

const run = promisify(execFile);
const clip = {
  widthPixels: 320,
  heightPixels: 180,
  bitsPerSecond: 200_000,
  gopFrames: 12,
  framesPerSecond: 12,
} as const;

const areConsecutive = (numbers: readonly number[]) =>
  numbers.every((number, at) => at === 0 || number === (numbers[at - 1] ?? 0) + 1);

test('(82, 91, 92, 110) a camera is played live over a restart of the server, cut out and shown', {
  timeout: 120_000,
}, async () => {
  const dataDirectory = await temporaryDirectory();
  const simulator = await startCameraSimulator({ cameras: 1, mode: 'burst', clip });
  onTestFinished(() => simulator.close());
  const appliance = await startAppliance({ dataDirectory });
  onTestFinished(() => appliance.close());
  const [camera = { cameraId: '', streamId: '' }] = await addSimulated(appliance, simulator, 1);
  const statements = [{ effect: 'allow', actions: ['kinesisvideo:Get*'], resources: ['*'] }];
  await appliance.call('POST', '/api/policies', { name: 'viewers', statements });
  const key = (await appliance.call('POST', '/api/access-keys', { name: 'viewer', policies: ['viewers'] })) as {
    accessKey: { id: string };
    secretAccessKey: string;
  };
  const { cameras } = (await appliance.call('GET', '/api/cameras')) as { cameras: { streams: { name: string }[] }[] };
  const StreamName = cameras[0]?.streams[0]?.name;
  const archive = new KinesisVideoArchivedMediaClient({
    ...{ endpoint: appliance.url, region: 'eu-central-1', maxAttempts: 1 },
    credentials: { accessKeyId: key.accessKey.id, secretAccessKey: key.secretAccessKey },
    requestHandler: { httpsAgent: new Agent({ rejectUnauthorized: false }) },
  });
  onTestFinished(() => archive.destroy());
  const beginMs = Date.now();
  await untilRecorded(appliance, camera.streamId, beginMs + 5_000);
  const numbersOf = async (source: string, seconds?: number) => {
    const path = join(await temporaryDirectory(), 'out.h264');
    const length = seconds === undefined ? [] : ['-t', String(seconds)];
    await run('ffmpeg', ['-v', 'error', '-y', '-i', source, ...length, '-c:v', 'copy', '-an', path], {
      timeout: 60_000,
    });
    return frameNumbersIn(await readFile(path)).map(({ frame }) => frame);
  };

  const session = { StreamName, DiscontinuityMode: 'NEVER', MaxMediaPlaylistFragmentResults: 60 } as const;
  const { HLSStreamingSessionURL: url = '' } = await archive.send(new GetHLSStreamingSessionURLCommand(session));
  const before = await numbersOf(url, 4);
  await appliance.kill('serve');
  await until('serve is back', () =>
    appliance.call('GET', '/readyz').then(
      () => true,
      () => false,
    ),
  );
  const after = await numbersOf(url, 4);

  expect(areConsecutive(before)).toBe(true);
  expect(areConsecutive(after)).toBe(true);
  expect(Math.min(before.length, after.length)).toBeGreaterThan(36);
  expect(after[0]).toBeGreaterThanOrEqual(before[0] ?? 0);

  const TimestampRange = { StartTimestamp: new Date(beginMs), EndTimestamp: new Date(beginMs + 4_000) };
  const ClipFragmentSelector = { FragmentSelectorType: 'SERVER_TIMESTAMP', TimestampRange } as const;
  const { Payload } = await archive.send(new GetClipCommand({ StreamName, ClipFragmentSelector }));
  const path = join(await temporaryDirectory(), 'clip.mp4');
  await writeFile(path, (await Payload?.transformToByteArray()) ?? new Uint8Array());
  const cut = await numbersOf(path);
  expect(areConsecutive(cut)).toBe(true);
  expect(cut.length).toBeGreaterThanOrEqual(24);

  const { Images = [] } = await archive.send(
    new GetImagesCommand({
      ...{ StreamName, ImageSelectorType: 'SERVER_TIMESTAMP', Format: 'JPEG', SamplingInterval: 500 },
      ...TimestampRange,
    }),
  );
  expect(Images.filter(({ ImageContent }) => ImageContent !== undefined).length).toBeGreaterThanOrEqual(5);
  await appliance.close();
  expect(await checkFindings(dataDirectory)).toEqual([]);
});
