/** A camera that nobody adds: an AWS client configures the edge of a stream, and a whole appliance records by it. */

import { Agent } from 'node:https';
import { fileURLToPath } from 'node:url';
import {
  CreateStreamCommand,
  DeleteEdgeConfigurationCommand,
  DescribeEdgeConfigurationCommand,
  KinesisVideoClient,
  StartEdgeConfigurationUpdateCommand,
} from '@aws-sdk/client-kinesis-video';
import { expect, onTestFinished, test } from 'vitest';
import { startAppliance } from '../kit/appliance.ts';
import { timeline, untilRecorded } from '../kit/footage.ts';
import { startGstCamera } from '../kit/gst-camera.ts';
import { checkFindings } from '../kit/judge.ts';
import { runCommand } from '../kit/run-command.ts';
import { temporaryDirectory } from '../kit/temp.ts';
import { until } from '../kit/until.ts';

const main = fileURLToPath(new URL('../../appliance/main.ts', import.meta.url));

test('(23) an edge configuration onboards a camera by a secret, is in sync once it is recorded, and lets it go', async () => {
  const dataDirectory = await temporaryDirectory();
  const camera = await startGstCamera({ auth: 'digest' });
  const appliance = await startAppliance({ dataDirectory, args: ['--cameras-allowed-networks', '[127.0.0.1]'] });
  onTestFinished(() => appliance.close());
  const beganMs = Date.now();
  const keepSecret = async (name: string, value: string) => {
    const { out, err } = await runCommand(
      process.execPath,
      [main, 'secret', 'add', name, '--data-directory', dataDirectory],
      { input: `${value}\n` },
    );
    expect(err).toBe('');
    return out.trim();
  };
  const gateArn = await keepSecret('gate', JSON.stringify({ MediaURI: camera.urlWithCredentials }));
  const elsewhereArn = await keepSecret('elsewhere', 'rtsp://127.0.0.2:9/');
  const key = (await appliance.call('POST', '/api/access-keys', { name: 'hub', policies: ['admin'] })) as {
    accessKey: { id: string };
    secretAccessKey: string;
  };
  const client = new KinesisVideoClient({
    ...{ endpoint: appliance.url, region: 'eu-central-1' },
    credentials: { accessKeyId: key.accessKey.id, secretAccessKey: key.secretAccessKey },
    requestHandler: { httpsAgent: new Agent({ ca: await appliance.bytes('/api/system/ca.pem') }) },
  });
  onTestFinished(() => client.destroy());
  const onboard = async (StreamName: string, MediaUriSecretArn: string) => {
    await client.send(new CreateStreamCommand({ StreamName, DataRetentionInHours: 24 }));
    const { SyncStatus } = await client.send(
      new StartEdgeConfigurationUpdateCommand({
        StreamName,
        EdgeConfig: {
          HubDeviceArn: 'arn:aws:iot:us-east-1:000000000000:thing/hub',
          RecorderConfig: { MediaSourceConfig: { MediaUriSecretArn, MediaUriType: 'RTSP_URI' } },
        },
      }),
    );
    return SyncStatus;
  };
  const describe = (StreamName: string) => client.send(new DescribeEdgeConfigurationCommand({ StreamName }));
  const settled = (StreamName: string) =>
    until(`${StreamName} is settled`, async () => {
      const told = await describe(StreamName);
      return told.SyncStatus === 'SYNCING' ? undefined : told;
    });

  expect(await onboard('gate', gateArn)).toBe('SYNCING');
  expect(await onboard('elsewhere', elsewhereArn)).toBe('SYNCING');

  expect(await settled('gate')).toMatchObject({
    SyncStatus: 'IN_SYNC',
    EdgeAgentStatus: { LastRecorderStatus: { RecorderStatus: 'SUCCESS' } },
  });
  expect(await settled('elsewhere')).toMatchObject({
    SyncStatus: 'SYNC_FAILED',
    FailedStatusDetails: expect.stringContaining('127.0.0.2'),
    EdgeAgentStatus: { LastRecorderStatus: { RecorderStatus: 'USER_ERROR' } },
  });
  const { cameras } = (await appliance.call('GET', '/api/cameras')) as {
    cameras: { name: string; streams: { id: string }[] }[];
  };
  const streamId = cameras.find(({ name }) => name === 'gate')?.streams[0]?.id ?? '';
  await untilRecorded(appliance, streamId, Date.now() + 4_000);

  await client.send(new DeleteEdgeConfigurationCommand({ StreamName: 'gate' }));
  await until('the camera is let go', async () => (await camera.status()).clients === 0);
  const { spans } = await timeline(appliance, streamId, beganMs);
  await appliance.close();

  expect(spans.length).toBeGreaterThan(0);
  expect(appliance.output()).not.toContain(camera.options.password);
  expect(appliance.output()).not.toContain(encodeURIComponent(camera.options.password));
  expect(await checkFindings(dataDirectory)).toEqual([]);
});
