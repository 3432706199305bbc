import { describe, expect, test } from 'vitest';
import { ConversionBudget, type ConversionUse } from '../../../gateway/playback/convert/conversion-budget.ts';
import { Turns } from '../../../gateway/playback/convert/turns.ts';
import { isAppError } from '../../../storage/base/errors.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';

const idleMs = 20_000;

function budgetOf(conversionsMax: number) {
  const clock = new SimulatedClock(1_000_000);
  return { clock, budget: new ConversionBudget({ clock }, { conversionsMax, idleMs }) };
}

function live(streamId: string, viewer = 'ada'): ConversionUse {
  return { streamId, kind: 'live', viewer };
}

function refusalOf(act: () => void) {
  try {
    act();
  } catch (error) {
    if (isAppError(error, 'resource_exhausted')) return error;
    throw error;
  }
  throw new Error('was not refused');
}

describe('the budget of conversions', () => {
  test('takes viewers of one stream as one conversion', () => {
    const { budget } = budgetOf(1);

    budget.enter(live('gate', 'ada'));
    budget.enter(live('gate', 'bob'));

    expect(budget.running()).toMatchObject([{ streamId: 'gate', kind: 'live', viewers: ['ada', 'bob'] }]);
  });

  test('counts live, recorded and each clip of a stream on their own', () => {
    const { budget } = budgetOf(4);

    budget.enter(live('gate'));
    budget.enter({ streamId: 'gate', kind: 'recorded', viewer: 'ada' });
    budget.enter({ streamId: 'gate', kind: 'clip', viewer: 'ada, download 1' });
    budget.enter({ streamId: 'gate', kind: 'clip', viewer: 'ada, download 2' });

    expect(budget.running().map(({ kind }) => kind)).toEqual(['live', 'recorded', 'clip', 'clip']);
  });

  test('turns away who comes beyond it, and says by what it is used', () => {
    const { budget } = budgetOf(2);
    budget.enter(live('gate', 'ada'));
    budget.enter(live('yard', 'bob'));

    const refusal = refusalOf(() => budget.enter(live('hall', 'eve')));

    expect(refusal.message).toBe('no more than 2 streams are converted at once');
    expect(refusal.context).toMatchObject({
      running: [
        { streamId: 'gate', viewers: ['ada'] },
        { streamId: 'yard', viewers: ['bob'] },
      ],
    });
    expect(budget.refused).toBe(1);
  });

  test('has a place again when nobody asked for a while, or the last viewer left', async () => {
    const { budget, clock } = budgetOf(1);
    budget.enter(live('gate'));
    await clock.advance(idleMs - 1);
    refusalOf(() => budget.enter(live('yard')));

    await clock.advance(1);
    budget.enter(live('yard'));
    budget.leave(live('yard'));
    budget.enter(live('hall'));

    expect(budget.running().map(({ streamId }) => streamId)).toEqual(['hall']);
  });

  test('keeps what somebody asks for, and forgets viewers that stopped', async () => {
    const { budget, clock } = budgetOf(1);
    budget.enter(live('gate', 'ada'));
    budget.enter(live('gate', 'bob'));

    await clock.advance(15_000);
    budget.touch(live('gate', 'bob'));
    await clock.advance(15_000);

    expect(budget.running()).toMatchObject([{ streamId: 'gate', viewers: ['bob'] }]);
    expect(budget.touch(live('yard'))).toBe(false);
  });

  test('gives the place of a player that went on to something else to what it plays now', () => {
    const { budget } = budgetOf(1);
    budget.enter({ ...live('gate'), player: 'p1' });

    budget.enter({ streamId: 'gate', kind: 'recorded', viewer: 'ada', player: 'p1' });
    budget.enter({ ...live('yard'), player: 'p1' });

    expect(budget.running()).toMatchObject([{ streamId: 'yard', kind: 'live', viewers: ['ada'] }]);
    refusalOf(() => budget.enter({ ...live('hall'), player: 'p2' }));
    refusalOf(() => budget.enter(live('hall')));
  });

  test('names a person once, however many players they have', () => {
    const { budget } = budgetOf(1);

    budget.enter({ ...live('gate'), player: 'p1' });
    budget.enter({ ...live('gate'), player: 'p2' });

    expect(budget.running()).toMatchObject([{ viewers: ['ada'] }]);
  });

  test('of none takes nobody, and says that it is a setting', () => {
    const { budget } = budgetOf(0);

    expect(refusalOf(() => budget.enter(live('gate'))).message).toContain('playback.conversionsMax');
  });

  test('does no work for a stream without a place', () => {
    const { budget } = budgetOf(1);
    budget.enter(live('gate'));

    budget.require({ streamId: 'gate', kind: 'live' });

    refusalOf(() => budget.require({ streamId: 'yard', kind: 'live' }));
  });
});

describe('turns', () => {
  test('does the work of a key one after the other, and goes on after a failure', async () => {
    const turns = new Turns({ waitingMax: 8 });
    const seen: string[] = [];
    const work = (name: string) => async () => {
      seen.push(`${name} begins`);
      await Promise.resolve();
      seen.push(`${name} ends`);
      if (name === 'first') throw new Error('first failed');
      return name;
    };

    const first = turns.take('gate', work('first'));
    const second = turns.take('gate', work('second'));

    await expect(first).rejects.toThrow('first failed');
    expect(await second).toBe('second');
    expect(seen).toEqual(['first begins', 'first ends', 'second begins', 'second ends']);
  });

  test('refuses what would wait too long', async () => {
    const turns = new Turns({ waitingMax: 1 });
    let finish = () => {};
    const first = turns.take('gate', () => new Promise<void>((resolve) => (finish = resolve)));
    const second = turns.take('gate', async () => {});

    await expect(turns.take('gate', async () => {})).rejects.toMatchObject({ code: 'resource_exhausted' });

    await Promise.resolve();
    finish();
    await Promise.all([first, second]);
    await turns.take('gate', async () => {});
  });
});
