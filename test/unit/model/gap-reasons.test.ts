/** Why seconds are missing, in words. */

import { expect, test } from 'vitest';
import { type GapReason, gapReasons, gapReasonText, isPublished } from '../../../storage/model/run.ts';

test('of what is published no sentence speaks of a camera that we connect to', () => {
  const reasons = Object.keys(gapReasons) as GapReason[];
  const about = (reason: GapReason) => gapReasonText(reason, { isPublished: true });

  expect(about('source-silent')).toBe('the publisher sent nothing more');
  expect(
    reasons.filter((reason) => / the camera (stayed|closed|broke)|to the camera/.test(` ${about(reason)}`)),
  ).toEqual([]);
  expect(gapReasonText('source-silent', { isPublished: false })).toBe(gapReasons['source-silent']);
});

test('RTMP and WHIP are published, what is fetched and what KVS producers send is not', () => {
  const kinds = ['rtsp', 'rtmp', 'whip', 'kvs'];

  expect(kinds.filter((kind) => isPublished({ kind }))).toEqual(['rtmp', 'whip']);
  expect(isPublished(undefined)).toBe(false);
});
