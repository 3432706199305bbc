/** Answers of real cameras, kept as text in `test/fixtures/rtsp/<vendor-model>/`. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseMessage, type RtspResponse } from '../../../gateway/rtsp/wire/message.ts';
import { parseSdp, type SessionDescription } from '../../../gateway/rtsp/wire/sdp.ts';

const root = join(import.meta.dirname, '../../fixtures/rtsp');

/**
 * The answer with its placeholders filled in and line ends as on the wire; undefined when the camera has no such fixture.
 * `{length}` becomes the body's length.
 */
export function fixture(
  camera: string,
  name: string,
  values: Readonly<Record<string, string>> = {},
): string | undefined {
  const path = join(root, camera, `${name}.txt`);
  if (!existsSync(path)) return undefined;
  let text = readFileSync(path, 'latin1').replaceAll('\n', '\r\n');
  for (const [key, value] of Object.entries(values)) text = text.replaceAll(`{${key}}`, value);
  const bodyLength = text.length - text.indexOf('\r\n\r\n') - 4;
  return text.replaceAll('{length}', String(bodyLength));
}

export function describeAnswer(camera: string): {
  readonly response: RtspResponse;
  readonly description: SessionDescription;
} {
  const text = fixture(camera, 'describe', { cseq: '2' });
  if (text === undefined) throw new Error(`no such fixture: ${camera}`);
  const end = text.indexOf('\r\n\r\n');
  const response = parseMessage(text.slice(0, end), text.slice(end + 4));
  if (response === undefined || !('status' in response)) throw new Error(`no answer: ${camera}`);
  return { response, description: parseSdp(response.body) };
}
