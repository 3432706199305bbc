import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { receiveLimits } from '../../../gateway/webrtc/receive/limits.ts';
import { WhipPut } from '../../../gateway/webrtc/receive/whip-put.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import type { AppError } from '../../../storage/base/errors.ts';
import { appError } from '../../../storage/base/errors.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { ByteBudget } from '../../../storage/journal/index.ts';
import { LaneClient, type LaneHandlers, LaneServer, type PutAnswers } from '../../../storage/lane/index.ts';
import { joinNals } from '../../../storage/media/index.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import { pps, slice, sps } from '../../unit/rtsp/packets.ts';
import { notedReceiver, sound, unitOf, video } from '../../unit/webrtc-source/kit.ts';

/** An owner that takes what comes when it is told to. */
async function withOwner(put: (head: unknown, answers: PutAnswers) => ReturnType<NonNullable<LaneHandlers['put']>>) {
  const path = join(await temporaryDirectory(), 'ingest-0.sock');
  const server = new LaneServer({ log: silentLog, handlers: { requests: {}, put } }, { path, role: 'ingest-0' });
  await server.start();
  onTestFinished(() => server.close());
  const owner = new LaneClient({ clock: systemClock, log: silentLog }, { path, name: 'test' });
  onTestFinished(() => owner.close());
  const ended: AppError[] = [];
  const wanted = { keyFrames: 0 };
  const budget = new ByteBudget(receiveLimits.queuesBytesMax);
  const media = new WhipPut(
    {
      ...{ clock: systemClock, log: silentLog, owner, budget },
      wantKeyFrame: () => wanted.keyFrames++,
      onEnded: (error) => ended.push(error),
    },
    { head: { kind: 'whip', streamId: 'booth', peer: 'test' } },
  );
  onTestFinished(() => media.close());
  return { media, ended, wanted, budget, server };
}

const largeKey = joinNals([sps, pps, slice({ isKey: true, bytes: 400_000 })]);
const large = joinNals([slice({ bytes: 100_000 })]);

test('an owner that does not read gets whole groups of pictures or none, and is told what it lacks', async () => {
  const noted = notedReceiver();
  const gate = Promise.withResolvers<void>();
  let isOpen = false;
  const { media, wanted, budget } = await withOwner((_head, answers) => {
    answers.event({ kind: 'accepted' });
    return {
      bytes: (bytes) => {
        noted.receiver.push(bytes);
        return isOpen ? undefined : gate.promise;
      },
      end: () => answers.done({}),
      lost: () => {},
    };
  });
  await media.open();
  media.session([video, sound], 'started');
  const send = (gop: number) => {
    for (let i = 0; i < 10; i++) {
      const atMs = gop * 1_000 + i * 100;
      media.unit(unitOf(1, atMs, { isKey: i === 0, bytes: i === 0 ? largeKey : large }));
      media.unit(unitOf(2, atMs + 10));
    }
  };

  for (let gop = 0; gop < 12; gop++) send(gop);
  const used = budget.used;
  isOpen = true;
  gate.resolve();
  await until('it has caught up', () => budget.used === 0);
  send(12);
  await media.close();

  expect(used).toBeLessThanOrEqual(receiveLimits.queueBytesMax + largeKey.length);
  expect(wanted.keyFrames).toBeGreaterThan(0);
  expect(noted.faults).toEqual([]);
  const pictures = noted.units.filter((unit) => unit.trackNumber === 1);
  const last = pictures.findIndex((unit) => unit.presentationTimeUs === 12_000_000);
  expect(pictures[last]).toMatchObject({ isKey: true, isAfterLoss: true });
  expect(pictures.length - last).toBe(10);
  // Up to the place where there was no more room, nothing is missing.
  expect(pictures.slice(0, last).map((unit) => unit.presentationTimeUs)).toEqual(
    Array.from({ length: last }, (_, i) => i * 100_000),
  );
  expect(noted.told).toContainEqual({ trackNumber: 1, packets: expect.any(Number) });
});

test('a publisher that begins while others hold all memory is recorded as soon as there is some', async () => {
  const noted = notedReceiver();
  const { media, budget } = await withOwner((_head, answers) => {
    answers.event({ kind: 'accepted' });
    return {
      bytes: (bytes) => {
        noted.receiver.push(bytes);
        return undefined;
      },
      end: () => answers.done({}),
      lost: () => {},
    };
  });
  await media.open();
  budget.take(receiveLimits.queuesBytesMax);
  media.session([video], 'started');
  for (let i = 0; i < 3; i++) media.unit(unitOf(1, i * 100, { isKey: i !== 1 }));

  budget.give(receiveLimits.queuesBytesMax);
  for (let i = 3; i < 6; i++) media.unit(unitOf(1, i * 100, { isKey: i === 4 }));
  await media.close();

  expect(noted.faults).toEqual([]);
  expect(noted.units.map((unit) => unit.presentationTimeUs)).toEqual([400_000, 500_000]);
});

test('a session that begins while nothing goes through is told with its first key frame', async () => {
  const noted = notedReceiver();
  const gate = Promise.withResolvers<void>();
  let isOpen = false;
  const { media, budget } = await withOwner((_head, answers) => {
    answers.event({ kind: 'accepted' });
    return {
      bytes: (bytes) => {
        noted.receiver.push(bytes);
        return isOpen ? undefined : gate.promise;
      },
      end: () => answers.done({}),
      lost: () => {},
    };
  });
  await media.open();
  media.session([video], 'started');
  for (let i = 0; i < 60; i++) media.unit(unitOf(1, i * 100, { isKey: i === 0, bytes: i === 0 ? largeKey : large }));

  media.session([{ ...video, video: { widthPixels: 160, heightPixels: 90 } }], 'tracks-changed');
  isOpen = true;
  gate.resolve();
  await until('it has caught up', () => budget.used === 0);
  media.unit(unitOf(1, 0));
  media.unit(unitOf(1, 100, { isKey: true }));
  await media.close();

  expect(noted.faults).toEqual([]);
  expect(noted.sessions.map(({ tracks }) => tracks[0]?.video?.widthPixels)).toEqual([640, 160]);
  expect(noted.units.slice(noted.sessions[1]?.at).map((unit) => unit.presentationTimeUs)).toEqual([100_000]);
});

test.each(['already_exists', 'failed_precondition', 'permission_denied'] as const)(
  'an owner that refuses (%s) is believed at once',
  async (code) => {
    const { media, ended } = await withOwner(() => {
      throw appError(code, 'no');
    });

    await expect(media.open()).rejects.toMatchObject({ code });

    expect(ended).toEqual([]);
  },
);

test('a publisher that was silent asks for its stream again with its next picture', async () => {
  let puts = 0;
  const noted = [notedReceiver(), notedReceiver()];
  const { media, ended, wanted } = await withOwner((_head, answers) => {
    const mine = noted[puts++];
    answers.event({ kind: 'accepted' });
    return {
      bytes: (bytes) => {
        mine?.receiver.push(bytes);
        if (puts === 1) answers.failed(appError('cancelled', 'no picture came'));
        return undefined;
      },
      end: () => answers.done({}),
      lost: () => {},
    };
  });
  await media.open();
  media.session([video], 'started');
  media.unit(unitOf(1, 0, { isKey: true }));
  await until('its end is known', () => {
    media.unit(unitOf(1, 33));
    return puts > 1;
  });
  await until('a key frame is wanted', () => wanted.keyFrames > 0);
  media.unit(unitOf(1, 66, { isKey: true }));
  await media.close();

  expect(ended).toEqual([]);
  expect(noted[1]?.units.map((unit) => unit.presentationTimeUs)).toEqual([66_000]);
});
