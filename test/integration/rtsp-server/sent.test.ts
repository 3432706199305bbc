import { stat } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { until } from '../../kit/until.ts';
import { beginMs, encodeClip, RecordedStream, streamId } from '../playback/recorded-stream.ts';
import { noLane, recordWithFfmpeg, startRtspServer, testGate } from './kit.ts';

test.each(['tcp', 'udp'] as const)('what a reader was sent by %s is told when it leaves', async (transport) => {
  const picture = [
    '-f',
    'lavfi',
    '-i',
    'testsrc2=size=320x180:rate=25:duration=4',
    '-c:v',
    'libx264',
    '-g',
    '25',
    '-bf',
    '0',
  ];
  const stream = new RecordedStream();
  stream.addRun(await encodeClip([...picture, '-an']), { atMs: beginMs });
  const { gate, sent } = testGate();
  const { url } = await startRtspServer({ client: noLane, source: stream, gate });
  const at = (offsetMs: number) => new Date(beginMs + offsetMs).toISOString();

  const { path } = await recordWithFfmpeg(url(`${streamId}?start=${at(0)}&end=${at(2_000)}`), { transport });

  const told = await until('it is told', () => (sent.length > 0 ? sent : undefined));
  const bytes = told.reduce((sum, entry) => sum + entry.bytes, 0);
  const { size } = await stat(path);
  expect(told[0]).toMatchObject({ reader: 'reader', streamId });
  expect(bytes).toBeGreaterThan(size * 0.5);
  expect(bytes).toBeLessThan(size * 2);
});
