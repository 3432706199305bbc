import { expect, test } from 'vitest';
import { withoutCredentials } from '../../../storage/base/log.ts';

test('user and password of a URL are hidden, whatever stands before and behind it', () => {
  expect(withoutCredentials('no rtsp://admin:a/b@10.0.0.9:554/live, https://x@y/ and http://plain/')).toBe(
    'no rtsp://(secret)@10.0.0.9:554/live, https://(secret)@y/ and http://plain/',
  );
});

test.each(['a-', 'a.', '://', '://a', 'a://b/'])('a stranger who has %j logged many times costs no time', (part) => {
  const text = part.repeat(60_000);

  expect(withoutCredentials(text)).toBe(text);
});
