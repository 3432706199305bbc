import { expect, test } from 'vitest';
import type { SourceSink } from '../../../gateway/rtsp/index.ts';
import { receiveLimits } from '../../../gateway/webrtc/receive/limits.ts';
import { WholeMedia } from '../../../gateway/webrtc/receive/whole-media.ts';
import { joinNals } from '../../../storage/media/index.ts';
import type { AccessUnit } from '../../../storage/model/access-unit.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { pps, slice, sps } from '../rtsp/packets.ts';
import { keyPicture, picture, sound, unitOf, video } from '../webrtc-source/kit.ts';

function whole() {
  const units: AccessUnit[] = [];
  const told: string[] = [];
  const sink: SourceSink = {
    session: (_tracks, reason) => told.push(`session ${reason}`),
    unit: (unit) => units.push(unit),
    loss: ({ trackNumber }) => told.push(`loss ${trackNumber}`),
    clock: () => told.push('clock'),
    warning: (text) => told.push(text),
  };
  const clock = new SimulatedClock();
  const media = new WholeMedia({
    ...{ clock, sink },
    onKeyFrame: () => told.push('key frame'),
    onPictureLost: () => told.push('picture lost'),
    onFault: ({ reason }) => told.push(reason),
  });
  media.session([video, sound], 'started');
  return { clock, media, units, told };
}

const hexOf = ({ bytes }: AccessUnit) => Buffer.from(bytes).toString('hex');
const timesOf = (units: readonly AccessUnit[]) => units.map((unit) => unit.presentationTimeUs / 1_000);

test('a key frame without parameter sets gets those of its session, one that has them stays as it is', () => {
  const { media, units } = whole();

  media.unit(unitOf(1, 0, { isKey: true, bytes: joinNals([slice({ isKey: true })]) }));
  media.unit(unitOf(1, 33));
  media.unit(unitOf(1, 66, { isKey: true }));

  expect(units.map(hexOf)).toEqual([
    Buffer.from(joinNals([sps, pps, slice({ isKey: true })])).toString('hex'),
    Buffer.from(picture).toString('hex'),
    Buffer.from(keyPicture).toString('hex'),
  ]);
});

test('sound that says nothing for a while (DTX) is filled with silence, up to a bound, and not where packets were lost', () => {
  const { media, units } = whole();
  const soundAt = (atMs: number, facts: Partial<AccessUnit> = {}) =>
    media.unit(unitOf(2, atMs, { producerTimestampMs: 1_000_000 + atMs, ...facts }));

  soundAt(0);
  soundAt(20);
  soundAt(440);
  const filled = units.splice(0);
  soundAt(860, { isAfterLoss: true });
  soundAt(870 + receiveLimits.silenceMsMax + 20);
  soundAt(2_230);

  expect(timesOf(filled)).toEqual(Array.from({ length: 23 }, (_, i) => i * 20));
  expect(filled.map((unit) => (unit.producerTimestampMs ?? 0) - 1_000_000)).toEqual(timesOf(filled));
  expect(new Set(filled.slice(2, -1).map(hexOf))).toEqual(new Set(['fcfffe']));
  expect(timesOf(units)).toEqual([860, 870 + receiveLimits.silenceMsMax + 20, 2_210, 2_230]);
});

test('key frames and lost pictures are noted, lost sound is told alone', () => {
  const { media, told } = whole();

  media.unit(unitOf(1, 0, { isKey: true }));
  media.unit(unitOf(1, 33));
  media.loss({ trackNumber: 2, packets: 1 });
  media.loss({ trackNumber: 1, packets: 1 });
  media.warning('odd');

  expect(told).toEqual(['session started', 'key frame', 'loss 2', 'picture lost', 'loss 1', 'odd']);
});

test('a peer that begins anew all the time is ended, one that does so now and then is not', async () => {
  const { clock, media, units, told } = whole();
  const begins = async (times: number, everyMs: number) => {
    for (let i = 0; i < times; i++) {
      await clock.advance(everyMs);
      media.session([video, sound], 'tracks-changed');
    }
  };

  await begins(120, 2_000);
  expect(told).not.toContain('protocol-error');
  told.splice(0);

  await begins(120, 10);
  media.unit(unitOf(1, 0, { isKey: true }));
  expect(told.filter((text) => text === 'protocol-error')).toHaveLength(1);
  expect(told.length).toBeLessThan(receiveLimits.sessionsPerMinuteMax);
  expect(units).toEqual([]);
});
