import { expect, test } from 'vitest';
import { requestError, statusOf } from '../../../appliance/admin/http-errors.ts';

test.each([
  ['a client that left in the middle of its body', Object.assign(new Error('aborted'), { code: 'ECONNRESET' }), 499],
  ['a refusal of a plugin', Object.assign(new Error('Bad Request'), { statusCode: 400 }), 400],
])('%s is no mistake of ours', (_, thrown, status) => {
  const error = requestError(thrown);

  expect([error.code === 'internal', statusOf(error)]).toEqual([false, status]);
});

test('what nobody knows is our own mistake', () => {
  expect(requestError(new Error('odd')).code).toBe('internal');
  expect(requestError(Object.assign(new Error('reset'), { code: 'ECONNRESET' })).code).toBe('internal');
});
