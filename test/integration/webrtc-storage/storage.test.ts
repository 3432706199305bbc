import { expect, test } from 'vitest';
import { findMediaWorker } from '../../kit/media-worker.ts';
import { until } from '../../kit/until.ts';
import { heardAac } from '../webrtc-audio/sound.ts';
import { answer, figuresOf, hears, startPages, startStorage } from './kit.ts';

const workerPath = await findMediaWorker();

test('(102) a master gets an offer, and its H.264 and AAC are stored with times that fit each other', async () => {
  const site = await startStorage(workerPath);
  const { open } = await startPages();
  const master = site.peerOf('master');

  await site.sessions.join(master);
  await answer(site, { page: await open(), peer: master, sends: ['video', 'audio'] });

  const [stored] = await until('media is stored', () => site.stored.length > 0 && site.stored);
  const spanOf = (track: number) => {
    const times =
      stored?.units.filter((unit) => unit.trackNumber === track).map((unit) => unit.presentationTimeUs) ?? [];
    return [times[0] ?? 0, times.at(-1) ?? 0] as const;
  };
  await until('5 s of both', () => spanOf(1)[1] > 5_000_000 && spanOf(2)[1] > 5_000_000);
  expect(stored?.sessions.map((tracks) => tracks.map(({ number, codec }) => [number, codec]))).toEqual([
    [
      [1, 'h264'],
      [2, 'aac'],
    ],
  ]);
  expect(Math.abs(spanOf(1)[0] - spanOf(2)[0])).toBeLessThan(1_000_000);
  const sound = stored?.units.filter((unit) => unit.trackNumber === 2) ?? [];
  const steps = sound.slice(1).map((unit, i) => unit.presentationTimeUs - (sound[i]?.presentationTimeUs ?? 0));
  expect(Math.min(...steps)).toBeGreaterThan(10_000);
  expect(stored?.units.filter((unit) => unit.trackNumber === 1 && unit.isKey).length).toBeGreaterThan(1);
  expect(master.candidates[0]).toMatchObject({ candidate: expect.stringContaining('candidate:'), sdpMLineIndex: 0 });
});

test('(103) viewers see the master and hear it, and all hear and store a viewer who talks', async () => {
  const site = await startStorage(workerPath);
  const { open } = await startPages();
  const [master, first, second] = [site.peerOf('master'), site.peerOf('viewer', 'a'), site.peerOf('viewer', 'b')];
  const [atMaster, atFirst, atSecond] = [await open(), await open(), await open()];

  // A viewer may be there before the master.
  await site.sessions.join(first);
  await answer(site, { page: atFirst, peer: first, sends: [] });
  await site.sessions.join(master);
  await answer(site, { page: atMaster, peer: master, sends: ['video', 'audio'], toneHz: 440 });
  await until('the first viewer sees', async () => (await figuresOf(atFirst)).framesDecoded > 10);
  await until('the first viewer hears', async () => ((await hears(atFirst, [440]))[0] ?? 0) > 120);
  await site.sessions.join(second);
  await answer(site, { page: atSecond, peer: second, sends: ['audio'], toneHz: 1_000 });

  await until('the second viewer sees', async () => (await figuresOf(atSecond)).framesDecoded > 10);
  await until('the master hears the viewer', async () => ((await hears(atMaster, [1_000]))[0] ?? 0) > 120);
  await until('the first viewer hears both', async () => {
    const [tone = 0, talk = 0] = await hears(atFirst, [440, 1_000]);
    return tone > 100 && talk > 100;
  });
  await until('the second viewer hears the master, and not itself', async () => {
    const [tone = 0, own = 255] = await hears(atSecond, [440, 1_000]);
    return tone > 100 && own < tone - 40;
  });
  await until('both are in what is recorded', () => {
    const sound = (site.stored[0]?.units ?? []).filter(({ trackNumber }) => trackNumber === 2).slice(-50);
    const heard = heardAac(
      sound.map(({ presentationTimeUs, bytes }) => ({ presentationTimeUs, durationUs: 0, bytes })),
    );
    return loudness(heard, 440) > 300 && loudness(heard, 1_000) > 300;
  });
});

/** How loud a tone is in PCM of 48 kHz, two channels: its amplitude, of 32,767. */
function loudness(pcm: Uint8Array, hz: number): number {
  const view = new DataView(pcm.buffer, pcm.byteOffset, pcm.byteLength);
  const samples = Math.floor(pcm.length / 4);
  let [cosine, sine] = [0, 0];
  for (let i = 0; i < samples; i++) {
    const angle = (2 * Math.PI * hz * i) / 48_000;
    cosine += view.getInt16(i * 4, true) * Math.cos(angle);
    sine += view.getInt16(i * 4, true) * Math.sin(angle);
  }
  return (2 * Math.hypot(cosine, sine)) / Math.max(1, samples);
}
