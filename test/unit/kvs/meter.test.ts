import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { KvsMeter, snakeCase } from '../../../gateway/kvs/meter/index.ts';

test("AWS's names become Prometheus's", () => {
  expect(
    [
      'GetMedia.MillisBehindNow',
      'GetHLSStreamingSessionURL.Latency',
      'GetMP4MediaFragment.OutgoingBytes',
      'GetDASHManifest.Success',
    ].map(snakeCase),
  ).toEqual([
    'get_media_millis_behind_now',
    'get_hls_streaming_session_url_latency',
    'get_mp4_media_fragment_outgoing_bytes',
    'get_dash_manifest_success',
  ]);
});

test('sums and counts rise by stream, however often they are asked for', async () => {
  const registry = new Registry();
  const meter = new KvsMeter({ registry });
  meter.add('GetMedia.OutgoingBytes', 'gate', 1_000);
  await registry.metrics();
  meter.add('GetMedia.OutgoingBytes', 'gate', 500);
  meter.add('GetMedia.OutgoingBytes', 'yard', 7);

  const text = await registry.metrics();

  expect(text).toContain('aws_kinesisvideo_get_media_outgoing_bytes_sum{stream_name="gate"} 1500\n');
  expect(text).toContain('aws_kinesisvideo_get_media_outgoing_bytes_count{stream_name="gate"} 2\n');
  expect(text).toContain('aws_kinesisvideo_get_media_outgoing_bytes_sum{stream_name="yard"} 7\n');
});

test('streams that clients make and remove in a loop do not make series without end, and those in use stay', async () => {
  const registry = new Registry();
  const meter = new KvsMeter({ registry });

  for (let i = 0; i < 10_000; i++) {
    meter.add('ListFragments.Requests', `stream-${i}`, 1);
    meter.add('ListFragments.Requests', 'gate', 1);
  }

  const text = await registry.metrics();
  expect(text.split('requests_sum{').length - 1).toBe(4_000);
  expect(text).toContain('aws_kinesisvideo_list_fragments_requests_sum{stream_name="gate"} 10000\n');
});

test('signalling is counted by operation and channel, storage sessions by role too, as AWS has their dimensions', async () => {
  const registry = new Registry();
  const meter = new KvsMeter({ registry });
  meter.addSignaling('Failure', { operation: 'SendSdpOffer', channel: 'gate' }, 0);
  meter.addSignaling('Failure', { operation: 'SendSdpOffer', channel: 'gate' }, 1);
  meter.addSignaling('Failure', { operation: 'JoinStorageSession', channel: 'gate', role: 'MASTER' }, 1);
  meter.addSignaling('MessagesTransferred.Count', { channel: 'gate' }, 1);

  const text = await registry.metrics();

  expect(text).toContain('aws_kinesisvideo_failure_sum{operation="SendSdpOffer",signaling_channel_name="gate"} 1\n');
  expect(text).toContain('aws_kinesisvideo_failure_count{operation="SendSdpOffer",signaling_channel_name="gate"} 2\n');
  expect(text).toContain(
    'aws_kinesisvideo_failure_sum{operation="JoinStorageSession",signaling_channel_name="gate",peer_role="MASTER"} 1\n',
  );
  expect(text).toContain('aws_kinesisvideo_messages_transferred_count_sum{signaling_channel_name="gate"} 1\n');
});
