import { expect, test } from 'vitest';
import { until } from '../../kit/until.ts';
import { startPutMedia } from './put-media-kit.ts';

test('a head that was signed for one stream sends nothing to another', async () => {
  const { produce, streamArn } = await startPutMedia();

  const added = await produce({ unsigned: ['x-amzn-stream-name'] });
  const byArn = await produce({
    headers: { 'x-amzn-stream-name': undefined, 'x-amzn-stream-arn': streamArn },
    unsigned: ['x-amzn-stream-arn'],
  });
  await until('both are answered', () => added.text.includes('\r\n\r\n') && byArn.text.includes('\r\n\r\n'));

  for (const { text } of [added, byArn]) {
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(text).toContain('InvalidArgumentException');
  }
  added.socket.destroy();
  byArn.socket.destroy();
});
