import { describe, expect, it, test } from 'vitest';
import { createLog, withoutCredentials } from '../../../storage/base/log.ts';

describe('a text without credentials', () => {
  it.each([
    ['rtsp://admin:pa:ss@10.0.0.2:554/h264', 'rtsp://(secret)@10.0.0.2:554/h264'],
    ['rtsp://admin:pa/ss@10.0.0.2/h264', 'rtsp://(secret)@10.0.0.2/h264'],
    ['rtsp://10.0.0.2/user=admin&password=x1&channel=1', 'rtsp://10.0.0.2/user=(secret)&password=(secret)&channel=1'],
    ['rtsp://10.0.0.2/user=admin_password=x1_channel=1.sdp', 'rtsp://10.0.0.2/user=(secret)'],
    ['rtsp://10.0.0.2/live?channel=1&pwd=x1', 'rtsp://10.0.0.2/live?channel=1&pwd=(secret)'],
    ['http://10.0.0.2/v.cgi?loginuse=a&loginpas=b', 'http://10.0.0.2/v.cgi?loginuse=(secret)&loginpas=(secret)'],
    ['rtsp://10.0.0.2/ch0?Username=a&PASSWORD=b/c', 'rtsp://10.0.0.2/ch0?Username=(secret)&PASSWORD=(secret)'],
    ['rtsp://10.0.0.2/cam?auth=admin:x1&n=2', 'rtsp://10.0.0.2/cam?auth=(secret)&n=2'],
    ['rtsp://10.0.0.2:554/admin:x1/stream', 'rtsp://10.0.0.2:554/(secret)/stream'],
    ['rtsp://10.0.0.2/media/admin:x1', 'rtsp://10.0.0.2/media/(secret)'],
    ['no answer, password=x1 from "/a?pwd=y" twice', 'no answer, password=(secret) from "/a?pwd=(secret)" twice'],
  ])('%s', (text, shown) => {
    expect(withoutCredentials(text)).toBe(shown);
  });

  it.each([
    'rtsp://10.0.0.2:554/Streaming/Channels/101?profile=main',
    'https://weir.example:8443/api/streams/a/clip?begin=2026-01-10T12:00:00Z',
    'compass=north and passage=2',
    'rtsp://[2001:db8::1]:554/h264',
    'the user was refused: 401',
  ])('stays as it is where there are none: %s', (text) => {
    expect(withoutCredentials(text)).toBe(text);
  });

  it.each(['rtsp://', 'rtsp://a/b', 'password', 'user:', '=user'])('costs no time for %j many times', (part) => {
    const text = part.repeat(60_000);

    expect(withoutCredentials(text).length).toBeGreaterThan(0);
  });
});

test('neither fields, nor errors and their causes, nor the identity of a child show a credential', () => {
  const lines: string[] = [];
  const log = createLog({ level: 'debug', destination: { write: (line) => lines.push(line) } });
  const cause = new Error('GET rtsp://a:hunter2@10.0.0.2/ failed');
  const error = new Error('refused: /live?password=hunter2', { cause });

  log.child({ url: 'rtsp://10.0.0.2/?pwd=hunter2' }).warn('camera fails', { error, password: 'hunter2' });

  expect(lines.join('')).toContain('camera fails');
  expect(lines.join('')).not.toContain('hunter2');
});
