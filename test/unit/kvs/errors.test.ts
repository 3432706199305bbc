import { expect, test } from 'vitest';
import { awsError, awsErrorOf } from '../../../gateway/kvs/index.ts';
import { appError, errorCodes } from '../../../storage/base/errors.ts';

test('(4) an error that names its exception is told by that name, with its status and text', () => {
  const error = awsError('ResourceNotFoundException', 'The requested stream is not found or not active.');

  expect(error.code).toBe('not_found');
  expect(awsErrorOf(error)).toEqual({
    name: 'ResourceNotFoundException',
    httpStatus: 404,
    message: 'The requested stream is not found or not active.',
  });
});

test('every code of ours has a name and a status of AWS, and mistakes of ours tell nothing', () => {
  for (const code of errorCodes) {
    const told = awsErrorOf(appError(code, 'disk /data is gone'));

    expect(told.name).toMatch(/^[A-Z][A-Za-z]+Exception$/);
    expect(told.httpStatus).toBeGreaterThanOrEqual(400);
    if (told.httpStatus === 500) expect(told.message).toBe('something went wrong inside');
  }
});

test('a name that the wire does not know is not passed on', () => {
  expect(awsErrorOf(appError('not_found', 'no', { awsName: 'toString' })).name).toBe('ResourceNotFoundException');
});
