import { expect, test } from 'vitest';
import { SessionBook } from '../../../gateway/webrtc/sessions/session-book.ts';
import { silentLog } from '../../../storage/base/log.ts';

const newBook = () => new SessionBook({ log: silentLog }, { max: 3, ofOneMax: 2, what: 'live views' });
const opened = async () => 'an answer';

test('one account has so many places and not more, others have theirs', async () => {
  const book = newBook();
  await book.opening('ada', opened);
  await book.opening('ada', opened);

  await expect(book.opening('ada', opened)).rejects.toMatchObject({
    ...{ code: 'resource_exhausted', message: expect.stringContaining('2 live views') },
  });
  expect(await book.opening('bob', opened)).toBe('an answer');
});

test('when all places are taken that is said, with when to try again', async () => {
  const book = newBook();
  for (const caller of ['ada', 'bob', 'eve']) await book.opening(caller, opened);

  await expect(book.opening('joe', opened)).rejects.toMatchObject({
    ...{ code: 'resource_exhausted', context: { retryAfterMs: 30_000 } },
  });
});

test('what an offer that fails had taken is given back last first, each though another fails, and its place too', async () => {
  const book = newBook();
  const steps: string[] = [];
  const refused = book.opening('ada', async (taken) => {
    taken.defer(() => void steps.push('the first'));
    taken.defer(async () => {
      throw new Error('the second cannot be given back');
    });
    taken.defer(() => void steps.push('the third'));
    throw new Error('no answer');
  });

  await expect(refused).rejects.toThrow('no answer');

  expect(steps).toEqual(['the third', 'the first']);
  await book.opening('ada', opened);
  await book.opening('ada', opened);
  await expect(book.opening('ada', opened)).rejects.toThrow('as it may');
});

test('a book that is closed takes no more, and knows nothing of sessions that are over', async () => {
  const book = newBook();

  await book.end('nobody');
  await book.close();

  await expect(book.patch('nobody', { fragment: '', ifMatch: 'any' })).rejects.toMatchObject({ code: 'not_found' });
  await expect(book.opening('ada', opened)).rejects.toMatchObject({ code: 'unavailable' });
});
