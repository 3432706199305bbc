import { expect, test } from 'vitest';
import { FrameReader, parseControl, parseUnit } from '../../../storage/lane/frames.ts';
import { LaneBudget, LaneQueue } from '../../../storage/lane/lane-queue.ts';
import type { LaneOverflow } from '../../../storage/lane/messages.ts';

function queueOf(onOverflow: LaneOverflow, bytesMax: number, budget = new LaneBudget()) {
  const queue = new LaneQueue(budget, { laneId: 1, onOverflow, bytesMax });
  queue.session({ videoTrack: 1, isContinued: false });
  return queue;
}

const unit = (name: string, isKey = false, trackNumber = 1) => ({
  trackNumber,
  presentationTimeUs: 0,
  serverTimestampMs: 0,
  producerTimestampMs: undefined,
  isKey,
  isAfterLoss: false,
  bytes: Buffer.from(name.padEnd(100, '.')),
});

/** What a reader would see: names of units (`!` after loss) and counts of dropped ones. */
function drain(queue: LaneQueue): string[] {
  const seen: string[] = [];
  const reader = new FrameReader();
  for (let frame = queue.take(); frame !== undefined; frame = queue.take()) {
    reader.push(frame, (type, body) => {
      if (type === 2) {
        const { unit } = parseUnit(body);
        seen.push(Buffer.from(unit.bytes).toString().replaceAll('.', '') + (unit.isAfterLoss ? '!' : ''));
      } else {
        const message = parseControl(body) as { type: string; units?: number };
        seen.push(`${message.type} ${message.units ?? ''}`.trim());
      }
    });
  }
  return seen;
}

test('a lane begins with the key frame of the video', () => {
  const queue = queueOf('drop-to-key-frame', 10_000);

  for (const each of [unit('p0'), unit('a0', true, 2), unit('k1', true), unit('a1', true, 2), unit('p1')])
    queue.unit(each);

  expect(drain(queue)).toEqual(['k1', 'a1', 'p1']);
});

test('a lane that continues out of the journal takes the next unit whatever it is', () => {
  const queue = queueOf('drop-to-key-frame', 10_000);
  queue.session({ videoTrack: 1, isContinued: true });

  queue.unit(unit('p7'));

  expect(drain(queue)).toEqual(['p7']);
});

test('a session of audio alone has no key frame to wait for', () => {
  const queue = queueOf('drop-to-key-frame', 10_000);
  queue.session({ videoTrack: undefined, isContinued: false });

  queue.unit(unit('a0', true, 2));

  expect(drain(queue)).toEqual(['a0']);
});

test('a full lane drops everything up to the next key frame and says how much', () => {
  const queue = queueOf('drop-to-key-frame', 450);

  for (const each of [unit('k1', true), unit('p1'), unit('p2'), unit('p3'), unit('p4'), unit('k2', true), unit('p5')]) {
    queue.unit(each);
  }

  expect(drain(queue)).toEqual(['dropped 5', 'k2!', 'p5']);
  expect(queue.droppedUnits).toBe(5);
});

test('a key frame that finds a full lane takes the place of what was queued', () => {
  const queue = queueOf('drop-to-key-frame', 450);

  for (const each of [unit('k1', true), unit('p1'), unit('p2'), unit('k2', true)]) queue.unit(each);

  expect(drain(queue)).toEqual(['dropped 3', 'k2!']);
});

test('newest-wins replaces late units by any key frame, and drops nothing while the reader keeps up', () => {
  const queue = queueOf('newest-wins', 10_000);
  for (const each of [unit('k1', true), unit('p1'), unit('k2', true)]) queue.unit(each);
  const atOnce = drain(queue);
  queue.flushed();
  queue.unit(unit('k3', true));
  queue.unit(unit('p3'));
  queue.flushed();
  queue.unit(unit('k4', true));

  expect(atOnce).toEqual(['k1', 'p1', 'k2']);
  expect(drain(queue)).toEqual(['dropped 2', 'k4!']);
});

test('the lanes of a process share a budget and give it back', () => {
  const budget = new LaneBudget(300);
  const first = queueOf('drop-to-key-frame', 10_000, budget);
  const second = queueOf('drop-to-key-frame', 10_000, budget);

  first.unit(unit('k1', true));
  first.unit(unit('p1'));
  second.unit(unit('k1', true));
  first.clear();
  second.unit(unit('k2', true));

  expect(drain(second)).toEqual(['dropped 1', 'k2!']);
  expect(budget.used).toBe(0);
});

test('the messages of a lane are never dropped', () => {
  const queue = queueOf('drop-to-key-frame', 450);
  queue.message(Buffer.from([8, 0, 0, 0, 1, ...Buffer.from('{"a":1}')]));

  for (let i = 0; i < 20; i++) queue.unit(unit(`k${i}`, i % 5 === 0));

  expect(drain(queue)[0]).toBe('undefined');
});
