/** The outbox: what a camera saw reaches its store, whoever was away meanwhile. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { EventOutbox, type EventStore, type StoredRange } from '../../../gateway/onvif/events/event-outbox.ts';
import type { EventRange } from '../../../gateway/onvif/events/event-sink.ts';
import { onvifLimits } from '../../../gateway/onvif/limits.ts';
import { systemClock } from '../../../storage/base/clock.ts';
import { appError } from '../../../storage/base/errors.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';

class TestStore implements EventStore {
  readonly puts: StoredRange[] = [];
  refuse: ((range: StoredRange) => unknown) | undefined;

  async put(range: StoredRange): Promise<void> {
    const refusal = this.refuse?.(range);
    if (refusal !== undefined) throw refusal;
    this.puts.push(range);
  }
}

function range(rangeId: string, beginMs = 1_000): EventRange {
  return { rangeId, streamId: 's', cameraId: 'c', kind: 'motion', beginMs, detail: { topic: 'm' } };
}

async function outbox(path?: string) {
  const at = path ?? join(await temporaryDirectory(), 'state', 'onvif-events.json');
  const store = new TestStore();
  const box = new EventOutbox({ clock: systemClock, log: silentLog, store }, { path: at });
  onTestFinished(() => box.close());
  return { box, store, path: at };
}

it('a range is stored when it begins, and again with its end', async () => {
  const { box, store } = await outbox();
  await box.start();

  box.began(range('a'));
  await until('it is stored', () => store.puts.length === 1);
  box.ended(range('a'), { endMs: 5_000 });
  await until('its end is stored', () => store.puts.length === 2);

  expect(store.puts.map(({ endMs }) => endMs)).toEqual([null, 5_000]);
  expect(store.puts[0]).toMatchObject({ rangeId: 'a', streamId: 's', kind: 'motion', source: 'onvif' });
  await until('it is forgotten', () => box.size === 0);
});

it('ranges wait for a store that is away, in their order, and only their newest state is told', async () => {
  const { box, store } = await outbox();
  store.refuse = () => appError('unavailable', 'away');
  await box.start();
  box.began(range('a'));
  box.began(range('b'));
  box.ended(range('a'), { endMs: 2_000 });

  store.refuse = undefined;

  await until('both are stored', () => store.puts.length === 2);
  expect(store.puts.map(({ rangeId, endMs }) => [rangeId, endMs])).toEqual([
    ['a', 2_000],
    ['b', null],
  ]);
});

it('a range that can never be stored holds up no other', async () => {
  const { box, store } = await outbox();
  store.refuse = ({ rangeId }) => (rangeId === 'bad' ? appError('invalid_argument', 'no') : undefined);
  await box.start();

  box.ended(range('bad'), { endMs: 2_000 });
  box.ended(range('good'), { endMs: 2_000 });

  await until('the other is stored', () => store.puts.length === 1);
  await until('both are done', () => box.size === 0);
});

it('what waited at the end is stored by the next process, and what went on has ended', async () => {
  const first = await outbox();
  first.store.refuse = () => appError('unavailable', 'away');
  await first.box.start();
  first.box.began(range('open'));
  first.box.ended(range('done'), { endMs: 3_000 });
  await first.box.close();

  const second = await outbox(first.path);
  await second.box.start();

  await until('both are stored', () => second.store.puts.length === 2);
  const [open, done] = second.store.puts;
  expect(done).toMatchObject({ rangeId: 'done', endMs: 3_000 });
  expect(open?.rangeId).toBe('open');
  expect(Math.abs((open?.endMs ?? 0) - systemClock.wallMs())).toBeLessThan(60_000);
});

it('a damaged file is left behind', async () => {
  const { box, store, path } = await outbox(join(await temporaryDirectory(), 'events.json'));
  await writeFile(path, '{"version":1,"ranges":[{}]}');

  await box.start();
  box.ended(range('a'), { endMs: 2_000 });

  await until('it goes on', () => store.puts.length === 1);
});

it('is bounded', async () => {
  const { box, store } = await outbox();
  store.refuse = () => appError('unavailable', 'away');

  for (let index = 0; index < onvifLimits.outboxRangesMax + 10; index++) box.began(range(String(index)));

  expect(box.size).toBe(onvifLimits.outboxRangesMax);
});
