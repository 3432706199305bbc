/** Storage sessions as clients of AWS know them, through `serve` and into the journal. Numbers are those of the checklist. */

import { Agent } from 'node:https';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import {
  CreateSignalingChannelCommand,
  GetSignalingChannelEndpointCommand,
  UpdateMediaStorageConfigurationCommand,
} from '@aws-sdk/client-kinesis-video';
import {
  JoinStorageSessionAsViewerCommand,
  JoinStorageSessionCommand,
  KinesisVideoWebRTCStorageClient,
} from '@aws-sdk/client-kinesis-video-webrtc-storage';
import { expect, onTestFinished, test } from 'vitest';
import { PeerMedia } from '../../../gateway/webrtc/receive/index.ts';
import { StorageSessions, StreamPut } from '../../../gateway/webrtc/storage-session/index.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { ByteBudget } from '../../../storage/journal/index.ts';
import { findMediaWorker } from '../../kit/media-worker.ts';
import { runCommand } from '../../kit/run-command.ts';
import { until } from '../../kit/until.ts';
import { startPutMedia } from '../put-media/put-media-kit.ts';
import { startPlane } from '../webrtc-media-plane/kit.ts';
import { figuresOf, type Sends, startPages } from './kit.ts';

const workerPath = await findMediaWorker();
const { resolve } = createRequire(import.meta.url);
const sdkBundle = join(dirname(resolve('amazon-kinesis-video-streams-webrtc')), '..', 'dist', 'kvs-webrtc.min.js');

/** A site with a channel whose media is stored in the stream `door`, and an SDK for each of its endpoints. */
async function startChannel() {
  const { plane, untilState } = await startPlane({ workerPath: () => workerPath });
  await untilState('ready');
  const deps = { clock: systemClock, log: silentLog, random: Math.random };
  const made = await startPutMedia({
    storage: (owner) => {
      const sessions = new StorageSessions({
        ...{ ...deps, plane, ffmpeg: 'ffmpeg' },
        newMedia: ({ sink, onFault }, { worker, video, audio }) =>
          new PeerMedia({ ...deps, worker, sink, onFault }, { video, audio }),
        newPut: (events, head) =>
          new StreamPut({ ...deps, owner, budget: new ByteBudget(64_000_000), ...events }, head),
      });
      onTestFinished(() => sessions.close());
      return sessions;
    },
  });
  const { sdk, site, credentials, streamArn } = made;
  const { ChannelARN = '' } = await sdk.send(new CreateSignalingChannelCommand({ ChannelName: 'gate' }));
  await sdk.send(
    new UpdateMediaStorageConfigurationCommand({
      ChannelARN,
      MediaStorageConfiguration: { Status: 'ENABLED', StreamARN: streamArn },
    }),
  );
  const endpointsOf = async (Role: 'MASTER' | 'VIEWER') => {
    const SingleMasterChannelEndpointConfiguration = { Protocols: ['WSS' as const, 'WEBRTC' as const], Role };
    const { ResourceEndpointList = [] } = await sdk.send(
      new GetSignalingChannelEndpointCommand({ ChannelARN, SingleMasterChannelEndpointConfiguration }),
    );
    return Object.fromEntries(
      ResourceEndpointList.map(({ Protocol, ResourceEndpoint }) => [Protocol, ResourceEndpoint]),
    );
  };
  const endpoints = { MASTER: await endpointsOf('MASTER'), VIEWER: await endpointsOf('VIEWER') };
  const webrtc = new KinesisVideoWebRTCStorageClient({
    ...{ endpoint: endpoints.MASTER.WEBRTC, region: 'us-west-2', credentials, maxAttempts: 1 },
    requestHandler: { httpsAgent: new Agent({ ca: site.ca }) },
  });
  onTestFinished(() => webrtc.destroy());
  const { open } = await startPages();
  return {
    ...made,
    join: () => webrtc.send(new JoinStorageSessionCommand({ channelArn: ChannelARN })),
    joinAsViewer: (clientId: string) =>
      webrtc.send(new JoinStorageSessionAsViewerCommand({ channelArn: ChannelARN, clientId })),
    /** A page that is connected by the stock SDK. */
    connect: async (
      role: 'MASTER' | 'VIEWER',
      wish: { readonly clientId?: string; readonly sends: Sends; readonly codec?: string },
    ) => {
      const page = await open();
      await page.addScriptTag({ path: sdkBundle });
      const channelEndpoint = endpoints[role].WSS;
      const channel = { role, channelARN: ChannelARN, channelEndpoint, credentials, ...wish };
      await page.evaluate(`signaling.connect(${JSON.stringify(channel)})`);
      return page;
    },
  };
}

type Heard = readonly (readonly [what: string, about: unknown])[];

test('(102, 103) the SDKs of AWS as master and viewers: H.264 and AAC are recorded, a viewer sees, a fourth is refused', async () => {
  const { join, joinAsViewer, connect, stored } = await startChannel();
  await expect(join()).rejects.toMatchObject({ name: 'InvalidArgumentException' });
  const master = await connect('MASTER', { sends: ['video', 'audio'] });
  await join();

  await until('fragments are recorded', async () => (await stored()).flatMap(({ fragments }) => fragments).length >= 2);
  const viewer = await connect('VIEWER', { clientId: 'viewer-1', sends: [] });
  await joinAsViewer('viewer-1');
  await until('the viewer sees the master', async () => (await figuresOf(viewer)).framesDecoded > 5);
  for (const clientId of ['viewer-2', 'viewer-3', 'viewer-4']) await connect('VIEWER', { clientId, sends: [] });
  await joinAsViewer('viewer-2');
  await joinAsViewer('viewer-3');
  await expect(joinAsViewer('viewer-4')).rejects.toMatchObject({ name: 'ClientLimitExceededException' });

  const heard: Heard = await master.evaluate('signaling.heard');
  expect(heard[0]?.[0]).toBe('offer');
  expect(heard.some(([what]) => what === 'candidate')).toBe(true);
  expect(heard.every(([, sender]) => sender == null)).toBe(true);
  const [file] = await stored();
  // Every picture at its own time: browsers send as many as they like.
  const decoding = ['-v', 'error', '-i', file?.path ?? '', '-fps_mode', 'passthrough', '-f', 'null', '-'];
  expect(await runCommand('ffmpeg', decoding)).toMatchObject({ code: 0, err: '' });
  expect(file?.head.tracks.map(({ number, codec }) => [number, codec])).toEqual([
    [1, 'h264'],
    [2, 'aac'],
  ]);
  for (const { isKey, tracks } of file?.fragments ?? []) {
    expect(isKey).toBe(true);
    expect(tracks.map(({ trackNumber }) => trackNumber)).toEqual([1, 2]);
  }
});

test('(104) a master that answers without H.264 is told so, and may answer again', async () => {
  const { join, connect } = await startChannel();
  const master = await connect('MASTER', { sends: ['video', 'audio'], codec: 'VP8' });

  await join();

  const status = await until('it is told', async () => {
    const heard: Heard = await master.evaluate('signaling.heard');
    return heard.find(([what]) => what === 'status')?.[1];
  });
  expect(status).toMatchObject({
    ...{ correlationId: 'answer-1', errorType: 'InvalidArgumentException', statusCode: '400', success: false },
    description: expect.stringContaining('H.264'),
  });
});
