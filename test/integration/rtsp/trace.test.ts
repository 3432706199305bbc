import { expect, test } from 'vitest';
import { traceSource } from '../../../gateway/rtsp/index.ts';
import { startGstCamera } from '../../kit/gst-camera.ts';
import { deps, sourceOf } from './collect.ts';

test('a trace has requests, answers and RTP headers, and neither login nor payload', async () => {
  const password = 'Sesame-7f3!x';
  const camera = await startGstCamera({ auth: 'digest', username: 'viewer', password });

  const text = await traceSource(deps, sourceOf(camera, { username: 'viewer', password }), { durationMs: 2_000 });

  expect(text).toMatch(/DESCRIBE rtsp:[\s\S]*Authorization: \(removed\)[\s\S]*PLAY rtsp:/);
  expect(text).toContain('WWW-Authenticate: (removed)');
  expect(text).toMatch(/packet on 0, \d+ bytes, header [0-9a-f]{24}\n/);
  expect(text).toMatch(/ended: shutdown/);
  expect(text).not.toMatch(/Sesame|nonce|response=/);
  expect(text.length).toBeLessThan(256 * 1024);
});

test('a camera that takes packets by UDP is traced too, and one that is away is told', async () => {
  const camera = await startGstCamera({ transports: ['udp'] });
  const source = sourceOf(camera, { transport: 'udp' });

  const text = await traceSource(deps, source, { durationMs: 2_000 });
  const away = await traceSource(deps, { ...source, url: 'rtsp://127.0.0.1:1/x' }, { durationMs: 2_000 });

  expect(text).toMatch(/packet on udp, \d+ bytes, header [0-9a-f]{24}\n/);
  expect(away).toMatch(/ended: refused/);
});
