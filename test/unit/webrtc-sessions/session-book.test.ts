import { expect, test } from 'vitest';
import { SessionBook } from '../../../gateway/webrtc/sessions/session-book.ts';

const newBook = () => new SessionBook({ max: 3, ofOneMax: 2, what: 'live views' });

test('one account has so many places and not more, others have theirs', () => {
  const book = newBook();
  book.take('ada');
  book.take('ada');

  expect(() => book.take('ada')).toThrow(
    expect.objectContaining({ code: 'resource_exhausted', message: expect.stringContaining('2 live views') }),
  );
  expect(() => book.take('bob')).not.toThrow();
});

test('when all places are taken that is said, with when to try again', () => {
  const book = newBook();
  for (const caller of ['ada', 'bob', 'eve']) book.take(caller);

  expect(() => book.take('joe')).toThrow(
    expect.objectContaining({ code: 'resource_exhausted', context: { retryAfterMs: 30_000 } }),
  );
});

test('a place that is given back twice is free once', () => {
  const book = newBook();
  const giveBack = book.take('ada');
  book.take('ada');

  giveBack();
  giveBack();
  book.take('ada');

  expect(() => book.take('ada')).toThrow('as it may');
});
